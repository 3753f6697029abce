//! The whole driver of a device, over a port of two functions: sync, split, repeat.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::{Answer, AnswerParser, Op, Request, Status, resync};
use crate::limits::{FLASH_DATA_BYTES_MAX, FLASH_SEGMENT_BYTES, FLASH_TRIES_MAX};

/// The UART of the flash, as the driver sees it.
pub trait Port {
    /// Sends all of `bytes`, waiting for room where needed.
    fn send(&mut self, bytes: &[u8]);

    /// The next byte, or nothing once none has come for 200 ms or so.
    fn receive(&mut self) -> Option<u8>;

    /// A number that differs from boot to boot: it tells answers to this life from older ones.
    fn nonce(&mut self) -> u32;
}

/// Why a flash operation did not happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DriverError {
    /// Nobody answered, [`FLASH_TRIES_MAX`] times in a row.
    Silent,
    /// Not inside the flash, or not aligned to a segment.
    OutOfRange,
    /// A byte to program holds something else already.
    NotErased,
    /// The host could not read or write its file.
    Failed,
}

impl NorFlashError for DriverError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfRange => NorFlashErrorKind::OutOfBounds,
            Self::Silent | Self::NotErased | Self::Failed => NorFlashErrorKind::Other,
        }
    }
}

/// A request that has no id yet.
struct Question<'a> {
    op: Op,
    address: u32,
    length: u16,
    data: &'a [u8],
}

/// A flash on the far side of a UART.
#[derive(Debug)]
pub struct Nor<P> {
    port: P,
    id: u16,
    flash_bytes: u32,
    is_synced: bool,
}

impl<P: Port> Nor<P> {
    /// Takes the port; nothing is sent yet, and the size is unknown.
    pub const fn new(port: P) -> Self {
        Self { port, id: 0, flash_bytes: 0, is_synced: false }
    }

    /// Opens the line and learns the size of the flash.
    ///
    /// # Errors
    /// [`DriverError::Silent`] if nobody answers.
    pub fn open(&mut self) -> Result<u32, DriverError> {
        for _ in 0..FLASH_TRIES_MAX {
            if self.sync() {
                return Ok(self.flash_bytes);
            }
        }
        Err(DriverError::Silent)
    }

    #[inline(never)]
    fn sync(&mut self) -> bool {
        for zero in resync() {
            self.port.send(&[zero]);
        }
        let nonce = self.port.nonce();
        let mut data = [0; 8];
        self.ask(&Question { op: Op::Sync, address: nonce, length: 0, data: &[] });
        let answer = self.hear(&mut data);
        let [n0, n1, n2, n3, s0, s1, s2, s3] = data;
        self.is_synced = answer == Some(Answer { status: Status::Done, data_bytes: 8 })
            && u32::from_be_bytes([n0, n1, n2, n3]) == nonce;
        if self.is_synced {
            self.flash_bytes = u32::from_be_bytes([s0, s1, s2, s3]);
        }
        self.is_synced
    }

    /// Sends one request, with an id of its own.
    #[inline(never)]
    fn ask(&mut self, question: &Question<'_>) {
        self.id = self.id.wrapping_add(1);
        let Question { op, address, length, data } = *question;
        let request = Request::with(self.id, op, address, length, data);
        self.port.send(request.head());
        self.port.send(request.data());
        self.port.send(request.tail());
    }

    /// Waits for the answer to the last request, or for silence.
    #[inline(never)]
    fn hear(&mut self, target: &mut [u8]) -> Option<Answer> {
        let mut parser = AnswerParser::new(self.id);
        // Bounded: nothing unasked comes from the host, so a stream that does not end is no flash.
        for _ in 0..4 * super::ANSWER_BYTES_MAX {
            if let Some(answer) = parser.push(self.port.receive()?, target) {
                return Some(answer);
            }
        }
        None
    }

    /// Asks until it is answered. What sends and what waits return before the line is opened again:
    /// neither stands on the stack of the others.
    fn request(&mut self, question: &Question<'_>, target: &mut [u8]) -> Result<(), DriverError> {
        for _ in 0..FLASH_TRIES_MAX {
            if !self.is_synced && !self.sync() {
                continue;
            }
            self.ask(question);
            let Some(answer) = self.hear(target) else {
                self.is_synced = false;
                continue;
            };
            return match answer.status {
                Status::Done if answer.data_bytes == target.len() => Ok(()),
                Status::Done | Status::Failed => Err(DriverError::Failed),
                Status::OutOfRange => Err(DriverError::OutOfRange),
                Status::NotErased => Err(DriverError::NotErased),
            };
        }
        Err(DriverError::Silent)
    }
}

impl<P> ErrorType for Nor<P> {
    type Error = DriverError;
}

impl<P: Port> ReadNorFlash for Nor<P> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DriverError> {
        let mut address = offset;
        for chunk in bytes.chunks_mut(FLASH_DATA_BYTES_MAX) {
            let length = chunk.len() as u16;
            self.request(&Question { op: Op::Read, address, length, data: &[] }, chunk)?;
            address = address.saturating_add(u32::from(length));
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.flash_bytes as usize
    }
}

impl<P: Port> NorFlash for Nor<P> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = FLASH_SEGMENT_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), DriverError> {
        if from > to
            || !from.is_multiple_of(FLASH_SEGMENT_BYTES)
            || !to.is_multiple_of(FLASH_SEGMENT_BYTES)
        {
            return Err(DriverError::OutOfRange);
        }
        let mut address = from;
        while address < to {
            self.request(&Question { op: Op::Erase, address, length: 0, data: &[] }, &mut [])?;
            address = address.saturating_add(FLASH_SEGMENT_BYTES);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DriverError> {
        let (mut address, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let to_segment_end = FLASH_SEGMENT_BYTES - address % FLASH_SEGMENT_BYTES;
            let length = rest.len().min(FLASH_DATA_BYTES_MAX).min(to_segment_end as usize);
            let (chunk, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            let length = chunk.len() as u16;
            self.request(&Question { op: Op::Program, address, length, data: chunk }, &mut [])?;
            address = address.saturating_add(u32::from(length));
            rest = after;
        }
        Ok(())
    }
}
