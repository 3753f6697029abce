//! The whole driver of a device, over a port of two functions: sync, split, repeat.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::{Answer, AnswerParser, Request, Status, resync};
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

    fn sync(&mut self) -> bool {
        for zero in resync() {
            self.port.send(&[zero]);
        }
        let nonce = self.port.nonce();
        let mut data = [0; 8];
        let answer = self.attempt(|id| Request::sync(id, nonce), &mut data);
        let [n0, n1, n2, n3, s0, s1, s2, s3] = data;
        self.is_synced = answer == Some(Answer { status: Status::Done, data_bytes: 8 })
            && u32::from_be_bytes([n0, n1, n2, n3]) == nonce;
        if self.is_synced {
            self.flash_bytes = u32::from_be_bytes([s0, s1, s2, s3]);
        }
        self.is_synced
    }

    /// Sends one request and waits for its answer or silence.
    fn attempt<'a>(
        &mut self,
        request: impl Fn(u16) -> Request<'a>,
        target: &mut [u8],
    ) -> Option<Answer> {
        self.id = self.id.wrapping_add(1);
        let request = request(self.id);
        self.port.send(request.head());
        self.port.send(request.data());
        self.port.send(request.tail());
        let mut parser = AnswerParser::new(self.id);
        // Bounded: nothing unasked comes from the host, so a stream that does not end is no flash.
        for _ in 0..4 * super::ANSWER_BYTES_MAX {
            if let Some(answer) = parser.push(self.port.receive()?, target) {
                return Some(answer);
            }
        }
        None
    }

    fn request<'a>(
        &mut self,
        request: impl Fn(u16) -> Request<'a>,
        target: &mut [u8],
    ) -> Result<(), DriverError> {
        for _ in 0..FLASH_TRIES_MAX {
            if !self.is_synced && !self.sync() {
                continue;
            }
            let Some(answer) = self.attempt(&request, target) else {
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
            self.request(|id| Request::read(id, address, length), chunk)?;
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
            self.request(|id| Request::erase(id, address), &mut [])?;
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
            self.request(|id| Request::program(id, address, chunk), &mut [])?;
            address = address.saturating_add(length as u32);
            rest = after;
        }
        Ok(())
    }
}
