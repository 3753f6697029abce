//! A capture file that Wireshark and tcpdump read: the frames of a cable, or the bytes of a serial line.
//!
//! # Layout
//! A record of a serial line is one byte, 00 from the device or 01 to it, and the bytes that passed in
//! one piece, in the order in which they passed. A piece is not a frame of `link`.
//!
//! # Source
//! draft-ietf-opsawg-pcap, "General File Structure": classic pcap, microseconds, little-endian;
//! "Registry of LINKTYPE values": USER0 is for private use.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::impairment::Way;
use crate::limits::{CAPTURE_BYTES_MAX, FRAME_BYTES, LINE_PIECE_BYTES_MAX};

const MAGIC_MICROSECONDS: u32 = 0xA1B2_C3D4;

/// What a capture is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Medium {
    Ethernet,
    Serial,
}

impl Medium {
    const fn link_type(self) -> u32 {
        match self {
            Self::Ethernet => 1,
            Self::Serial => 147,
        }
    }

    const fn record_bytes_max(self) -> usize {
        match self {
            Self::Ethernet => *FRAME_BYTES.end(),
            Self::Serial => 1 + LINE_PIECE_BYTES_MAX,
        }
    }
}

/// An open capture. It ends by itself at [`CAPTURE_BYTES_MAX`], or when the disk is full.
#[derive(Debug)]
pub(crate) struct Capture {
    medium: Medium,
    file: Option<File>,
    bytes: u64,
}

impl Capture {
    pub(crate) fn create(path: &Path, medium: Medium) -> io::Result<Self> {
        let options =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let mut file = options?;
        let mut head = Vec::with_capacity(24);
        head.extend_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
        // Version 2.4.
        head.extend_from_slice(&[2, 0, 4, 0]);
        head.extend_from_slice(&[0; 8]);
        head.extend_from_slice(&(medium.record_bytes_max() as u32).to_le_bytes());
        head.extend_from_slice(&medium.link_type().to_le_bytes());
        file.write_all(&head)?;
        Ok(Self { medium, file: Some(file), bytes: head.len() as u64 })
    }

    /// Adds what passes now; in one write, so a reader sees whole records only.
    pub(crate) fn record(&mut self, way: Way, passed: &[u8], now: SystemTime) {
        let Some(file) = &mut self.file else { return };
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let way: &[u8] = match (self.medium, way) {
            (Medium::Ethernet, _) => &[],
            (Medium::Serial, Way::Up) => &[0],
            (Medium::Serial, Way::Down) => &[1],
        };
        let length = ((way.len() + passed.len()) as u32).to_le_bytes();
        let mut record = Vec::with_capacity(17 + passed.len());
        record.extend_from_slice(&(since.as_secs() as u32).to_le_bytes());
        record.extend_from_slice(&since.subsec_micros().to_le_bytes());
        record.extend_from_slice(&length);
        record.extend_from_slice(&length);
        record.extend_from_slice(way);
        record.extend_from_slice(passed);
        self.bytes += record.len() as u64;
        if self.bytes > CAPTURE_BYTES_MAX {
            tracing::warn!(bytes = CAPTURE_BYTES_MAX, "capture is full and ends");
            self.file = None;
        } else if let Err(error) = file.write_all(&record) {
            tracing::warn!(%error, "capture ends");
            self.file = None;
        }
    }
}
