//! The device's side: builds requests, takes answers byte by byte into the caller's slice.

use super::{
    ANSWER_HEAD_BYTES, ANSWER_SYNC, Op, REQUEST_HEAD_BYTES, REQUEST_SYNC, Status, TAIL_BYTES,
};
use crate::crc::Crc;
use crate::limits::FLASH_DATA_BYTES_MAX;

/// A request ready to be sent: [`head`](Self::head), then [`data`](Self::data), then [`tail`](Self::tail).
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    head: [u8; REQUEST_HEAD_BYTES],
    data: &'a [u8],
    tail: [u8; TAIL_BYTES],
}

impl<'a> Request<'a> {
    /// Asks for `length` bytes from `address`; at most [`FLASH_DATA_BYTES_MAX`] are ever answered.
    #[must_use]
    pub fn read(id: u16, address: u32, length: u16) -> Self {
        Self::with(id, Op::Read, address, length, &[])
    }

    /// Programs `data` at `address`; what is beyond [`FLASH_DATA_BYTES_MAX`] is left out.
    #[must_use]
    pub fn program(id: u16, address: u32, data: &'a [u8]) -> Self {
        let data = data.get(..FLASH_DATA_BYTES_MAX).unwrap_or(data);
        Self::with(id, Op::Program, address, data.len() as u16, data)
    }

    /// Erases the segment that begins at `address`.
    #[must_use]
    pub fn erase(id: u16, address: u32) -> Self {
        Self::with(id, Op::Erase, address, 0, &[])
    }

    /// Asks for `nonce` back and the size of the flash: the first request, after [`resync`].
    #[must_use]
    pub fn sync(id: u16, nonce: u32) -> Self {
        Self::with(id, Op::Sync, nonce, 0, &[])
    }

    pub(super) fn with(id: u16, op: Op, address: u32, length: u16, data: &'a [u8]) -> Self {
        let [id_high, id_low] = id.to_be_bytes();
        let [a0, a1, a2, a3] = address.to_be_bytes();
        let [length_high, length_low] = length.to_be_bytes();
        let [sync, op] = [REQUEST_SYNC, op as u8];
        let mut head = [sync, op, id_high, id_low, a0, a1, a2, a3, length_high, length_low, 0, 0];
        let [fields @ .., c0, c1] = &mut head;
        let crc = Crc::new().extend(fields);
        [*c0, *c1] = crc.short().to_be_bytes();
        let tail = crc.extend(&[*c0, *c1]).extend(data).value().to_be_bytes();
        Self { head, data, tail }
    }

    /// The bytes to send first.
    #[must_use]
    pub const fn head(&self) -> &[u8; REQUEST_HEAD_BYTES] {
        &self.head
    }

    /// The bytes to send second; empty for all but a program.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The bytes to send last.
    #[must_use]
    pub const fn tail(&self) -> &[u8; TAIL_BYTES] {
        &self.tail
    }
}

/// The zeros that a device sends before its first request, and after a time-out.
pub fn resync() -> impl Iterator<Item = u8> {
    core::iter::repeat_n(0, super::RESYNC_ZEROS)
}

/// A whole and undamaged answer to the awaited request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// How the request ended.
    pub status: Status,
    /// Bytes of data now at the beginning of the target.
    pub data_bytes: usize,
}

/// Takes the answer to one request, skipping whatever else arrives.
///
/// Holds no data: that goes into the slice given with each byte, and is to be believed only once the
/// answer is complete.
#[derive(Debug)]
pub struct AnswerParser {
    id: u16,
    head: [u8; ANSWER_HEAD_BYTES],
    /// Bytes of the frame taken so far.
    taken: usize,
    length: usize,
    status: Status,
    crc: Crc,
    tail: [u8; TAIL_BYTES],
}

impl AnswerParser {
    /// Waits for the answer to request `id`.
    #[must_use]
    pub const fn new(id: u16) -> Self {
        Self {
            id,
            head: [0; ANSWER_HEAD_BYTES],
            taken: 0,
            length: 0,
            status: Status::Failed,
            crc: Crc::new(),
            tail: [0; TAIL_BYTES],
        }
    }

    /// Takes one byte; `target` must be the same slice for all bytes of an answer.
    ///
    /// An answer with more data than `target` holds is skipped, as one to another request is.
    pub fn push(&mut self, byte: u8, target: &mut [u8]) -> Option<Answer> {
        if self.taken < ANSWER_HEAD_BYTES {
            self.push_head(byte);
            return None;
        }
        let offset = self.taken - ANSWER_HEAD_BYTES;
        self.taken += 1;
        if offset < self.length {
            self.crc.push(byte);
            if self.is_awaited(target)
                && let Some(slot) = target.get_mut(offset)
            {
                *slot = byte;
            }
            return None;
        }
        let tail_index = offset - self.length;
        if let Some(slot) = self.tail.get_mut(tail_index) {
            *slot = byte;
        }
        if tail_index + 1 < TAIL_BYTES {
            return None;
        }
        self.taken = 0;
        let is_whole = self.tail == self.crc.value().to_be_bytes();
        (is_whole && self.is_awaited(target))
            .then_some(Answer { status: self.status, data_bytes: self.length })
    }

    fn is_awaited(&self, target: &[u8]) -> bool {
        let [_, _, id_high, id_low, ..] = self.head;
        u16::from_be_bytes([id_high, id_low]) == self.id && self.length <= target.len()
    }

    /// Collects a header; drops its first byte and looks again where it turns out to be none.
    fn push_head(&mut self, byte: u8) {
        if let Some(slot) = self.head.get_mut(self.taken) {
            *slot = byte;
        }
        self.taken += 1;
        while self.taken > 0 && !self.accept_head() {
            self.head.copy_within(1.., 0);
            self.taken -= 1;
        }
    }

    /// Whether the bytes so far may be a header; reads it once it is complete.
    fn accept_head(&mut self) -> bool {
        let [sync, status, _, _, length_high, length_low, check_high, check_low] = self.head;
        if sync != ANSWER_SYNC {
            return false;
        }
        if self.taken < ANSWER_HEAD_BYTES {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let fields = self.head.get(..ANSWER_HEAD_BYTES - 2).unwrap_or(&[]);
        let crc = Crc::new().extend(fields);
        let is_intact = crc.short().to_be_bytes() == [check_high, check_low];
        let Some(status) = Status::decode(status) else { return false };
        if !is_intact || length > FLASH_DATA_BYTES_MAX {
            return false;
        }
        (self.status, self.length) = (status, length);
        self.crc = crc.extend(&[check_high, check_low]);
        true
    }
}
