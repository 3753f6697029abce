//! A file that behaves like NOR flash: bytes are programmed once and erased by the segment.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use rustix::fs::FlockOperation;
use wasmbed_link::limits::FLASH_SEGMENT_BYTES;

/// What an erased byte holds.
const ERASED: u8 = 0xFF;

/// Why a flash operation did not happen. Nothing has changed then, unless the file itself failed.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The caller left the flash, or a segment.
    #[error("{bytes} bytes at {address:#x} are not inside the flash or not inside a segment")]
    OutOfRange {
        /// First byte asked for.
        address: u32,
        /// Bytes asked for.
        bytes: usize,
    },
    /// The caller programs a byte that holds something else already.
    #[error("byte {address:#x} is not erased")]
    NotErased {
        /// The first such byte.
        address: u32,
    },
    /// Another process serves the same file.
    #[error("the flash file is in use")]
    InUse,
    /// The file is not as long as the flash of the board.
    #[error("the flash file has {file_bytes} bytes, the board's flash {flash_bytes}")]
    WrongSize {
        /// Bytes of the file.
        file_bytes: u64,
        /// Bytes of the flash.
        flash_bytes: u32,
    },
    /// The environment failed.
    #[error("flash file")]
    File(#[from] io::Error),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfRange { .. } => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// The flash of one board in a file of its own, locked as long as it is open.
///
/// # Layout
/// Byte n of the flash is byte n of the file.
#[derive(Debug)]
pub struct FlashFile {
    file: File,
    flash_bytes: u32,
}

impl Drop for FlashFile {
    fn drop(&mut self) {
        // Closing would not do: a process that is just being started has the file open as well.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl FlashFile {
    /// Makes a new, erased flash that only this user may read.
    ///
    /// # Errors
    /// [`FlashError::File`], among others where `path` exists already.
    pub fn create(path: &Path, flash_bytes: u32) -> Result<Self, FlashError> {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        lock(&file)?;
        file.write_all_at(&vec![ERASED; flash_bytes as usize], 0)?;
        file.sync_all()?;
        Ok(Self { file, flash_bytes })
    }

    /// Opens a flash that exists.
    ///
    /// # Errors
    /// [`FlashError::InUse`] while another process has it, [`FlashError::WrongSize`] if it belongs to
    /// another kind of board.
    pub fn open(path: &Path, flash_bytes: u32) -> Result<Self, FlashError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&file)?;
        let file_bytes = file.metadata()?.len();
        if file_bytes != u64::from(flash_bytes) {
            return Err(FlashError::WrongSize { file_bytes, flash_bytes });
        }
        Ok(Self { file, flash_bytes })
    }

    /// Bytes of the flash.
    pub const fn flash_bytes(&self) -> u32 {
        self.flash_bytes
    }

    /// Reads `target.len()` bytes from `address`.
    ///
    /// # Errors
    /// [`FlashError::OutOfRange`], [`FlashError::File`].
    pub fn read(&self, address: u32, target: &mut [u8]) -> Result<(), FlashError> {
        self.check_range(address, target.len())?;
        Ok(self.file.read_exact_at(target, address.into())?)
    }

    /// Programs `data` at `address`, durably when this returns.
    ///
    /// Bytes that are there already may be programmed again, so that a request can be repeated.
    ///
    /// # Errors
    /// [`FlashError::OutOfRange`] if the range leaves its segment, [`FlashError::NotErased`],
    /// [`FlashError::File`].
    pub fn program(&self, address: u32, data: &[u8]) -> Result<(), FlashError> {
        self.check_range(address, data.len())?;
        let in_segment = (address % FLASH_SEGMENT_BYTES) as usize;
        if in_segment + data.len() > FLASH_SEGMENT_BYTES as usize {
            return Err(FlashError::OutOfRange { address, bytes: data.len() });
        }
        let mut present = vec![0; data.len()];
        self.file.read_exact_at(&mut present, address.into())?;
        let is_free = |(stored, wanted): (&u8, &u8)| *stored == ERASED || stored == wanted;
        if let Some(index) = present.iter().zip(data).position(|pair| !is_free(pair)) {
            return Err(FlashError::NotErased { address: address + index as u32 });
        }
        self.file.write_all_at(data, address.into())?;
        Ok(self.file.sync_data()?)
    }

    /// Erases the segment that begins at `address`, durably when this returns.
    ///
    /// # Errors
    /// [`FlashError::OutOfRange`] if no segment begins there, [`FlashError::File`].
    pub fn erase(&self, address: u32) -> Result<(), FlashError> {
        let bytes = FLASH_SEGMENT_BYTES as usize;
        self.check_range(address, bytes)?;
        if !address.is_multiple_of(FLASH_SEGMENT_BYTES) {
            return Err(FlashError::OutOfRange { address, bytes });
        }
        self.file.write_all_at(&vec![ERASED; bytes], address.into())?;
        Ok(self.file.sync_data()?)
    }

    fn check_range(&self, address: u32, bytes: usize) -> Result<(), FlashError> {
        let end = u64::from(address) + bytes as u64;
        if end > u64::from(self.flash_bytes) {
            return Err(FlashError::OutOfRange { address, bytes });
        }
        Ok(())
    }
}

fn lock(file: &File) -> Result<(), FlashError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(FlashError::InUse),
        other => Ok(other.map_err(io::Error::from)?),
    }
}

impl ErrorType for FlashFile {
    type Error = FlashError;
}

impl ReadNorFlash for FlashFile {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        Self::read(self, offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash_bytes as usize
    }
}

impl NorFlash for FlashFile {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = FLASH_SEGMENT_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        (from..to).step_by(Self::ERASE_SIZE).try_for_each(|address| Self::erase(self, address))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let (mut address, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let to_segment_end = FLASH_SEGMENT_BYTES - address % FLASH_SEGMENT_BYTES;
            let (chunk, after) = rest.split_at(rest.len().min(to_segment_end as usize));
            self.program(address, chunk)?;
            address += chunk.len() as u32;
            rest = after;
        }
        Ok(())
    }
}
