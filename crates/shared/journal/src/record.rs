//! Bytes of a record header and of a segment header. Leaves out where they lie.

use crate::checksum::{crc16, crc32};
use crate::limits;

/// Bytes of a record header.
pub const HEADER_BYTES: u32 = 10;

/// Bytes of a segment header.
pub const SEGMENT_HEADER_BYTES: u32 = 12;

/// Longest record: what a power cut can tear.
pub const RECORD_BYTES_MAX: u32 = HEADER_BYTES + limits::VALUE_BYTES_MAX as u32;

/// "WBJ1": the layout, so that another one is never read as this.
const MAGIC: [u8; 4] = *b"WBJ1";

const KIND_VALUE: u8 = 0x56;
const KIND_REMOVED: u8 = 0x52;

/// Head of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    pub key: u8,
    pub removed: bool,
    pub data_bytes: u16,
    /// CRC-32 of the four bytes before and the data.
    pub data_crc: u32,
}

impl Header {
    /// Header of a record that holds `parts`, one behind the other.
    pub fn of_value(key: u8, parts: &[&[u8]]) -> Self {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let mut header = Self { key, removed: false, data_bytes: bytes as u16, data_crc: 0 };
        header.data_crc = parts.iter().fold(header.crc_start(), |crc, part| crc32(crc, part));
        header
    }

    /// Header of a record that says that `key` is gone.
    pub fn of_removal(key: u8) -> Self {
        let mut header = Self { key, removed: true, data_bytes: 0, data_crc: 0 };
        header.data_crc = header.crc_start();
        header
    }

    fn start(&self) -> [u8; 4] {
        let [low, high] = self.data_bytes.to_le_bytes();
        [self.key, if self.removed { KIND_REMOVED } else { KIND_VALUE }, low, high]
    }

    /// CRC-32 to which that of the data is added.
    pub fn crc_start(&self) -> u32 {
        crc32(0, &self.start())
    }

    /// Bytes of the whole record.
    pub fn record_bytes(&self) -> u32 {
        HEADER_BYTES + u32::from(self.data_bytes)
    }

    pub fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let start = self.start();
        let [a, b] = crc16(&start).to_le_bytes();
        let [c, d, e, f] = self.data_crc.to_le_bytes();
        [start[0], start[1], start[2], start[3], a, b, c, d, e, f]
    }

    /// Reads a header; `None` if it is not one, blank included.
    pub fn decode(bytes: &[u8; HEADER_BYTES as usize]) -> Option<Self> {
        let [key, kind, low, high, a, b, c, d, e, f] = *bytes;
        if !crate::mutants::on(crate::mutants::Mutant::NoHeaderChecksum)
            && u16::from_le_bytes([a, b]) != crc16(&[key, kind, low, high])
        {
            return None;
        }
        let removed = match kind {
            KIND_VALUE => false,
            KIND_REMOVED => true,
            _ => return None,
        };
        let data_bytes = u16::from_le_bytes([low, high]);
        let fits = usize::from(key) < limits::KEYS
            && usize::from(data_bytes) <= limits::VALUE_BYTES_MAX
            && !(removed && data_bytes != 0);
        fits.then_some(Self {
            key,
            removed,
            data_bytes,
            data_crc: u32::from_le_bytes([c, d, e, f]),
        })
    }
}

/// Header of a segment with this epoch.
pub fn segment_header(epoch: u32) -> [u8; SEGMENT_HEADER_BYTES as usize] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&epoch.to_le_bytes());
    let crc = crc32(0, &bytes[..8]);
    bytes[8..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Epoch of a segment; `None` if the header is not whole.
pub fn segment_epoch(bytes: &[u8; SEGMENT_HEADER_BYTES as usize]) -> Option<u32> {
    let [_, _, _, _, a, b, c, d, ..] = *bytes;
    let epoch = u32::from_le_bytes([a, b, c, d]);
    (*bytes == segment_header(epoch)).then_some(epoch)
}
