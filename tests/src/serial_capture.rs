//! Reads a capture of a serial line and puts the streams of its sessions together.
//!
//! Written for these tests alone and on purpose without `link`, which it is to check. Left out:
//! credit, and the order of the sequence numbers.
//!
//! # Source
//! crates/shared/link/src/uplink.rs, "Layout"; a record of the capture is one byte for the way and
//! then bytes of the line.

use crate::capture::{Capture, Connection};

const UP: u8 = 0x00;
const DOWN: u8 = 0x01;
const FRAME_SYNC: u8 = 0x7E;
const HEAD_BYTES: usize = 4;
const TAIL_BYTES: usize = 4;
const SYNC: u8 = 0x01;
const ECHO: u8 = 0x02;
const CONTROL: [u8; 3] = [0x03, 0x04, 0x05];
const SESSION: u8 = 0x10;
const CONSOLE: u8 = 0x11;

/// Bytes of one way that are not yet a frame.
#[derive(Default)]
struct Line(Vec<u8>);

/// The next thing on a line.
#[derive(Debug, Eq, PartialEq)]
enum Part {
    /// A whole frame: kind and payload.
    Frame(u8, Vec<u8>),
    /// A byte that belongs to none.
    Stray,
}

/// Puts the records of a capture together: where a device says Sync, a connection begins.
///
/// # Errors
/// A record without a way.
pub(crate) fn read(records: &[&[u8]]) -> Result<Capture, String> {
    let mut capture = Capture::default();
    let (mut up, mut down) = (Line::default(), Line::default());
    let mut is_echoed = false;
    for (number, record) in records.iter().enumerate() {
        let (way, bytes) = record.split_first().ok_or("a record without a way")?;
        let line = match *way {
            UP => &mut up,
            DOWN => &mut down,
            other => return Err(format!("record {number} goes neither up nor down: {other:#04x}")),
        };
        line.0.extend_from_slice(bytes);
        while let Some(part) = line.next() {
            match (*way, part) {
                (UP, Part::Frame(SYNC, _)) => {
                    is_echoed = false;
                    capture.connections.push(Connection::default());
                }
                (DOWN, Part::Frame(ECHO, _)) => is_echoed = true,
                // What still comes down before the echo was meant for the former session.
                (_, Part::Frame(SESSION, payload)) if is_echoed => {
                    if let Some(connection) = capture.connections.last_mut() {
                        let stream = match *way {
                            UP => &mut connection.sent,
                            _ => &mut connection.received,
                        };
                        let end = stream.bytes.len();
                        stream.take(end, &payload, number);
                    }
                }
                (DOWN, Part::Frame(SESSION, _)) | (UP, Part::Frame(CONSOLE, _)) => {}
                (_, Part::Frame(kind, _)) if CONTROL.contains(&kind) => {}
                _ => capture.others += 1,
            }
        }
    }
    // An opening that was repeated, or that nobody answered, is no connection.
    capture.connections.retain(|connection| !connection.sent.bytes.is_empty());
    Ok(capture)
}

impl Line {
    /// Takes the next part off, once it is whole.
    fn next(&mut self) -> Option<Part> {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        self.0.drain(..zeros);
        let [first, kind, _, length, ..] = self.0[..] else {
            // A start that is no frame's cannot become one.
            return (self.0.first().is_some_and(|byte| *byte != FRAME_SYNC)).then(|| self.stray());
        };
        let end = HEAD_BYTES + usize::from(length);
        if first != FRAME_SYNC {
            return Some(self.stray());
        }
        let sum = self.0.get(end..end + TAIL_BYTES)?;
        if sum != crc(&self.0[..end]).to_be_bytes() {
            return Some(self.stray());
        }
        let payload = self.0[HEAD_BYTES..end].to_vec();
        self.0.drain(..end + TAIL_BYTES);
        Some(Part::Frame(kind, payload))
    }

    fn stray(&mut self) -> Part {
        self.0.remove(0);
        Part::Stray
    }
}

/// CRC-32, bit by bit.
///
/// # Source
/// IEEE 802.3, "Frame Check Sequence": reflected polynomial, all ones before and after.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum: u32, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests;
