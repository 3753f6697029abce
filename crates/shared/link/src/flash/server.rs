//! The host's side: takes requests byte by byte, builds answers. Bounded by the longest request.

use super::{
    ANSWER_BYTES_MAX, ANSWER_HEAD_BYTES, Op, REQUEST_BYTES_MAX, REQUEST_HEAD_BYTES, REQUEST_SYNC,
    RESYNC_ZEROS, Status, TAIL_BYTES, answer_head,
};
use crate::crc::Crc;
use crate::limits::FLASH_DATA_BYTES_MAX;

/// A whole and undamaged request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// See [`Op::Read`].
    Read {
        /// First byte wanted.
        address: u32,
        /// Bytes wanted.
        length: u16,
    },
    /// See [`Op::Program`].
    Program {
        /// Where the first byte goes.
        address: u32,
        /// The bytes.
        data: &'a [u8],
    },
    /// See [`Op::Erase`].
    Erase {
        /// First byte of the segment.
        address: u32,
    },
    /// See [`Op::Sync`].
    Sync {
        /// To be sent back.
        nonce: u32,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Obeys nothing until enough zeros have passed.
    Lost,
    /// Between two requests.
    Idle,
    /// Inside a request.
    Frame,
}

/// Takes requests out of what a device sends.
#[derive(Debug)]
pub struct RequestParser {
    state: State,
    /// Zeros in a row that ended with the last byte, wherever they were.
    zeros: usize,
    taken: usize,
    frame: [u8; REQUEST_BYTES_MAX],
}

impl Default for RequestParser {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestParser {
    /// A parser for a new connection: lost, since it may begin in the middle of a request.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Lost, zeros: 0, taken: 0, frame: [0; REQUEST_BYTES_MAX] }
    }

    /// Takes one byte; answers the id and content of a request when it is complete.
    pub fn push(&mut self, byte: u8) -> Option<(u16, Command<'_>)> {
        self.zeros = if byte == 0 { (self.zeros + 1).min(RESYNC_ZEROS) } else { 0 };
        if self.zeros == RESYNC_ZEROS {
            self.state = State::Idle;
            return None;
        }
        match (self.state, byte) {
            (State::Lost, _) | (State::Idle, 0) => return None,
            (State::Idle, REQUEST_SYNC) => (self.state, self.taken) = (State::Frame, 0),
            (State::Idle, _) => {
                self.state = State::Lost;
                return None;
            }
            (State::Frame, _) => {}
        }
        if let Some(slot) = self.frame.get_mut(self.taken) {
            *slot = byte;
        }
        self.taken += 1;
        if self.taken < REQUEST_HEAD_BYTES {
            return None;
        }
        let Some((op, length)) = self.decode_head() else {
            self.state = State::Lost;
            return None;
        };
        let data_bytes = if op == Op::Program { usize::from(length) } else { 0 };
        if self.taken < REQUEST_HEAD_BYTES + data_bytes + TAIL_BYTES {
            return None;
        }
        self.state = State::Idle;
        self.finish(op, length, data_bytes)
    }

    /// The numbers of a header, unless it is damaged or asks for more than there may be.
    fn decode_head(&self) -> Option<(Op, u16)> {
        let [_, op, _, _, _, _, _, _, length_high, length_low, check_high, check_low, ..] =
            self.frame;
        let fields = self.frame.get(..REQUEST_HEAD_BYTES - 2)?;
        let is_intact = Crc::new().extend(fields).short().to_be_bytes() == [check_high, check_low];
        let length = u16::from_be_bytes([length_high, length_low]);
        let is_bounded = usize::from(length) <= FLASH_DATA_BYTES_MAX;
        (is_intact && is_bounded).then_some((Op::decode(op)?, length))
    }

    fn finish(&mut self, op: Op, length: u16, data_bytes: usize) -> Option<(u16, Command<'_>)> {
        let body_bytes = REQUEST_HEAD_BYTES + data_bytes;
        let body = self.frame.get(..body_bytes)?;
        let tail = self.frame.get(body_bytes..body_bytes + TAIL_BYTES)?;
        if Crc::new().extend(body).value().to_be_bytes() != tail {
            self.state = State::Lost;
            return None;
        }
        let [_, _, id_high, id_low, a0, a1, a2, a3, ..] = self.frame;
        let address = u32::from_be_bytes([a0, a1, a2, a3]);
        let data = body.get(REQUEST_HEAD_BYTES..)?;
        let command = match op {
            Op::Read => Command::Read { address, length },
            Op::Program => Command::Program { address, data },
            Op::Erase => Command::Erase { address },
            Op::Sync => Command::Sync { nonce: address },
        };
        Some((u16::from_be_bytes([id_high, id_low]), command))
    }
}

/// The bytes of one answer.
pub type Answers = [u8; ANSWER_BYTES_MAX];

/// Writes the answer to request `id` into `target`, and returns the part to send.
///
/// What of `data` is beyond [`FLASH_DATA_BYTES_MAX`] is left out.
pub fn answer<'t>(target: &'t mut Answers, id: u16, status: Status, data: &[u8]) -> &'t [u8] {
    let data = data.get(..FLASH_DATA_BYTES_MAX).unwrap_or(data);
    let (head, crc) = answer_head(status, id, data.len() as u16);
    let tail = crc.extend(data).value().to_be_bytes();
    let bytes = head.iter().chain(data).chain(&tail);
    target.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    target.get(..ANSWER_HEAD_BYTES + data.len() + TAIL_BYTES).unwrap_or(&[])
}
