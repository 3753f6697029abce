//! Frames: building them, and taking them out of a stream byte by byte.

use super::{FRAME_SYNC, HEAD_BYTES, Kind, OVERHEAD_BYTES, SYNC_BYTES, TAIL_BYTES};
use crate::crc::Crc;
use crate::limits::UPLINK_PAYLOAD_BYTES_MAX;

/// A frame ready to be sent: head, payload, tail, with nothing in between.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    head: [u8; HEAD_BYTES],
    payload: &'a [u8],
    tail: [u8; TAIL_BYTES],
}

impl<'a> Frame<'a> {
    /// `payload` must not be longer than [`UPLINK_PAYLOAD_BYTES_MAX`]; what is beyond is left out.
    pub(super) fn new(kind: Kind, sequence: u8, payload: &'a [u8]) -> Self {
        let payload = payload.get(..UPLINK_PAYLOAD_BYTES_MAX).unwrap_or(payload);
        let head = [FRAME_SYNC, kind as u8, sequence, payload.len() as u8];
        let tail = Crc::new().extend(&head).extend(payload).value().to_be_bytes();
        Self { head, payload, tail }
    }

    /// The bytes to send first.
    #[must_use]
    pub const fn head(&self) -> &[u8; HEAD_BYTES] {
        &self.head
    }

    /// The bytes to send second: those of the caller's data that fit this frame.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The bytes to send last.
    #[must_use]
    pub const fn tail(&self) -> &[u8; TAIL_BYTES] {
        &self.tail
    }

    /// All bytes in order.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.head.iter().chain(self.payload).chain(&self.tail).copied()
    }
}

/// A short frame of its own, without a payload elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    bytes: [u8; OVERHEAD_BYTES + SYNC_BYTES],
    length: usize,
}

impl Short {
    pub(super) fn new(kind: Kind, sequence: u8, payload: &[u8]) -> Self {
        let mut bytes = [0; OVERHEAD_BYTES + SYNC_BYTES];
        let frame = Frame::new(kind, sequence, payload);
        bytes.iter_mut().zip(frame.bytes()).for_each(|(slot, byte)| *slot = byte);
        Self { bytes, length: OVERHEAD_BYTES + payload.len() }
    }

    /// The bytes to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// A console frame with the beginning of `text`; [`Frame::payload`] tells how much of it.
///
/// Needs no state, so a fault handler can use it, after [`START_ZEROS`](super::START_ZEROS) zeros
/// that end the frame it may have interrupted.
#[must_use]
pub fn console(text: &[u8]) -> Frame<'_> {
    Frame::new(Kind::Console, 0, text)
}

/// A whole and undamaged frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) kind: Kind,
    pub(super) sequence: u8,
    pub(super) payload: &'a [u8],
}

impl Received<'_> {
    /// Bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u16 {
        (OVERHEAD_BYTES + self.payload.len()) as u16
    }
}

/// What one more byte made of a stream.
pub(super) enum Progress<'a> {
    /// The frame is not complete yet.
    Partial,
    /// It is.
    Whole(Received<'a>),
    /// This is no frame.
    Bad,
}

/// Takes frames with payloads of at most `PAYLOAD` bytes.
#[derive(Debug)]
pub(super) struct Parser<const PAYLOAD: usize> {
    head: [u8; HEAD_BYTES],
    taken: usize,
    crc: Crc,
    payload: [u8; PAYLOAD],
    tail: [u8; TAIL_BYTES],
}

impl<const PAYLOAD: usize> Parser<PAYLOAD> {
    pub(super) const fn new() -> Self {
        Self {
            head: [0; HEAD_BYTES],
            taken: 0,
            crc: Crc::new(),
            payload: [0; PAYLOAD],
            tail: [0; TAIL_BYTES],
        }
    }

    /// Where payloads are put.
    pub(super) const fn payload(&self) -> &[u8; PAYLOAD] {
        &self.payload
    }

    /// Forgets a frame that has begun.
    pub(super) fn reset(&mut self) {
        self.taken = 0;
    }

    /// Whether no frame has begun.
    pub(super) const fn is_between(&self) -> bool {
        self.taken == 0
    }

    /// Takes one byte; the first of a frame must be given at its beginning.
    pub(super) fn push(&mut self, byte: u8) -> Progress<'_> {
        let index = self.taken;
        self.taken += 1;
        if let Some(slot) = self.head.get_mut(index) {
            *slot = byte;
            return self.check_head(index);
        }
        let [_, kind, sequence, length] = self.head;
        let (offset, length) = (index - HEAD_BYTES, usize::from(length));
        if offset < length {
            self.crc.push(byte);
            if let Some(slot) = self.payload.get_mut(offset) {
                *slot = byte;
            }
            return Progress::Partial;
        }
        if let Some(slot) = self.tail.get_mut(offset - length) {
            *slot = byte;
        }
        if offset - length + 1 < TAIL_BYTES {
            return Progress::Partial;
        }
        self.taken = 0;
        let is_whole = self.tail == self.crc.value().to_be_bytes();
        match (Kind::decode(kind), self.payload.get(..length)) {
            (Some(kind), Some(payload)) if is_whole => {
                Progress::Whole(Received { kind, sequence, payload })
            }
            _ => Progress::Bad,
        }
    }

    fn check_head(&mut self, index: usize) -> Progress<'_> {
        let [sync, kind, _, length] = self.head;
        let is_possible = match index {
            0 => sync == FRAME_SYNC,
            1 => Kind::decode(kind).is_some(),
            3 => usize::from(length) <= PAYLOAD,
            _ => true,
        };
        if !is_possible {
            self.taken = 0;
            return Progress::Bad;
        }
        if index + 1 == HEAD_BYTES {
            self.crc = Crc::new().extend(&self.head);
        }
        Progress::Partial
    }
}
