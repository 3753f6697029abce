//! A capture file that Wireshark and tcpdump read.
//!
//! # Source
//! draft-ietf-opsawg-pcap, "General File Structure": classic pcap, microseconds, little-endian.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::limits::{CAPTURE_BYTES_MAX, FRAME_BYTES};

const MAGIC_MICROSECONDS: u32 = 0xA1B2_C3D4;
const LINKTYPE_ETHERNET: u32 = 1;

/// An open capture. It ends by itself at [`CAPTURE_BYTES_MAX`], or when the disk is full.
#[derive(Debug)]
pub(crate) struct Capture {
    file: Option<File>,
    bytes: u64,
}

impl Capture {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let options =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let mut file = options?;
        let mut head = Vec::with_capacity(24);
        head.extend_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
        // Version 2.4.
        head.extend_from_slice(&[2, 0, 4, 0]);
        head.extend_from_slice(&[0; 8]);
        head.extend_from_slice(&(*FRAME_BYTES.end() as u32).to_le_bytes());
        head.extend_from_slice(&LINKTYPE_ETHERNET.to_le_bytes());
        file.write_all(&head)?;
        Ok(Self { file: Some(file), bytes: head.len() as u64 })
    }

    /// Adds a frame that passes now; in one write, so a reader sees whole records only.
    pub(crate) fn record(&mut self, frame: &[u8], now: SystemTime) {
        let Some(file) = &mut self.file else { return };
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let length = (frame.len() as u32).to_le_bytes();
        let mut record = Vec::with_capacity(16 + frame.len());
        record.extend_from_slice(&(since.as_secs() as u32).to_le_bytes());
        record.extend_from_slice(&since.subsec_micros().to_le_bytes());
        record.extend_from_slice(&length);
        record.extend_from_slice(&length);
        record.extend_from_slice(frame);
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
