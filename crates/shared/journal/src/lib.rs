//! What a device keeps over a power cut: small values by key in a log of two segments, and images
//! in fixed slots behind it. No allocation, no buffer, no clock; encryption and rollback protection
//! are left out (the flash is inside the device's trust boundary).
//!
//! # Layout
//! Two log segments of 4,096 bytes, used in turn, then image slots of 65,536 bytes. A segment
//! starts with magic, epoch and CRC, programmed last; the highest valid epoch wins. A record is
//! key, kind, length, CRC-16 of these, CRC-32 of these and the data, then the data. No byte is
//! programmed twice.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

mod checksum;
#[cfg(feature = "std")]
pub mod file;
pub mod limits;
mod log;
mod mutants;
#[cfg(feature = "std")]
pub mod ram;
mod record;
mod slots;

pub use checksum::{crc16, crc32};
pub use log::{Error, Key, Log};
pub use slots::{ImageRecord, SlotWriter};

/// The journal of every board: two segments of 4,096 bytes.
pub type Journal = Log<{ limits::SEGMENT_BYTES }>;
