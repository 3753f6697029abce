//! NOR flash over a UART: requests of a device, answers of the process that holds its flash file.
//!
//! The device speaks first and has one request in flight. Left out: the file (host) and the UART (device).
//!
//! # Layout
//! All numbers big-endian; `check` is the low half of the CRC-32 of the bytes before it, `crc` the
//! CRC-32 of all bytes before it.
//! ```text
//! request   F5  op  id:2  address:4  length:2  check:2  [data, for program]  crc:4
//! answer    FA  status  id:2  length:2  check:2  data  crc:4
//! ```
//! The server is *lost* at each new connection and after anything that is not a request, and then
//! obeys nothing until it has seen a run of zeros longer than any request. So bytes of an image that
//! happen to look like a request, inside one that was torn, are never obeyed. Zeros between
//! requests are ignored.
//!
//! A device starts with [`RESYNC_ZEROS`] zeros and [`Op::Sync`], whose address is a random nonce, and
//! discards what arrives until the nonce comes back: an answer to its former life is never
//! taken for one to this.
//!
//! Every request may be repeated: an erase erases again, and a program of bytes that are already
//! there succeeds.

mod client;
mod driver;
mod server;
#[cfg(test)]
mod tests;

use crate::crc::Crc;
use crate::limits::FLASH_DATA_BYTES_MAX;

pub use client::{Answer, AnswerParser, Request, resync};
pub use driver::{DriverError, Nor, Port};
pub use server::{Answers, Command, RequestParser, answer};

/// First byte of a request.
pub(crate) const REQUEST_SYNC: u8 = 0xF5;
/// First byte of an answer.
pub(crate) const ANSWER_SYNC: u8 = 0xFA;
/// Bytes before the data of a request.
pub const REQUEST_HEAD_BYTES: usize = 12;
/// Bytes before the data of an answer.
pub const ANSWER_HEAD_BYTES: usize = 8;
/// Bytes after the data of either.
pub const TAIL_BYTES: usize = 4;
/// Bytes of the longest request.
pub const REQUEST_BYTES_MAX: usize = REQUEST_HEAD_BYTES + FLASH_DATA_BYTES_MAX + TAIL_BYTES;
/// Bytes of the longest answer.
pub const ANSWER_BYTES_MAX: usize = ANSWER_HEAD_BYTES + FLASH_DATA_BYTES_MAX + TAIL_BYTES;
/// Zeros that end whatever was torn: no request is as long, so no request can hold that many.
pub const RESYNC_ZEROS: usize = REQUEST_BYTES_MAX;

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Op {
    /// `length` bytes from `address`.
    Read = 0x01,
    /// The data into erased bytes at `address`, not across a segment.
    Program = 0x02,
    /// All ones into the segment that begins at `address`.
    Erase = 0x03,
    /// The nonce back, with the size: data = `address`:4, bytes of the flash:4.
    Sync = 0x04,
}

impl Op {
    fn decode(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::Read,
            0x02 => Self::Program,
            0x03 => Self::Erase,
            0x04 => Self::Sync,
            _ => return None,
        })
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Status {
    /// Done, and durable.
    Done = 0x00,
    /// The range is not inside the flash, or a program or erase does not keep to its segment.
    OutOfRange = 0x01,
    /// A byte to program holds something else already.
    NotErased = 0x02,
    /// The file of the flash could not be read or written.
    Failed = 0x03,
}

impl Status {
    fn decode(byte: u8) -> Option<Self> {
        Some(match byte {
            0x00 => Self::Done,
            0x01 => Self::OutOfRange,
            0x02 => Self::NotErased,
            0x03 => Self::Failed,
            _ => return None,
        })
    }
}

/// Head of an answer: its checks and numbers are the same on both sides.
fn answer_head(status: Status, id: u16, length: u16) -> ([u8; ANSWER_HEAD_BYTES], Crc) {
    let [id_high, id_low] = id.to_be_bytes();
    let [length_high, length_low] = length.to_be_bytes();
    let fields = [ANSWER_SYNC, status as u8, id_high, id_low, length_high, length_low];
    let crc = Crc::new().extend(&fields);
    let [check_high, check_low] = crc.short().to_be_bytes();
    let [sync, status, ..] = fields;
    let head = [sync, status, id_high, id_low, length_high, length_low, check_high, check_low];
    (head, crc.extend(&[check_high, check_low]))
}
