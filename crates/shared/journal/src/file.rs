//! Flash in a file: what the flash server keeps, and what provisioning writes. Every program and
//! erase is on the disk when it returns. Leaves out locking: one process owns the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::limits::ERASE_BYTES;

/// A flash in a file.
#[derive(Debug)]
pub struct FileFlash {
    file: File,
    capacity_bytes: usize,
}

/// Why the flash did nothing.
#[derive(Debug)]
pub enum FileError {
    /// Beyond the end.
    OutOfBounds,
    /// An erase that is not on segment borders.
    NotAligned,
    /// The operating system said no.
    Io(io::Error),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfBounds => f.write_str("beyond the end of the flash"),
            Self::NotAligned => f.write_str("not on a segment border"),
            Self::Io(error) => write!(f, "flash file: {error}"),
        }
    }
}

impl std::error::Error for FileError {}

impl NorFlashError for FileError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::Io(_) => NorFlashErrorKind::Other,
        }
    }
}

impl FileFlash {
    /// Makes a blank flash, readable by its owner only.
    ///
    /// # Errors
    /// [`io::Error`] if there is a file already, or it cannot be made.
    pub fn create(path: &Path, capacity_bytes: usize) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let blank = [0xFF; ERASE_BYTES as usize];
        for at in (0..capacity_bytes).step_by(blank.len()) {
            let bytes = blank.len().min(capacity_bytes - at);
            file.write_all_at(&blank[..bytes], at as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, capacity_bytes })
    }

    /// Opens a flash that exists.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be opened for reading and writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let capacity_bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Self { file, capacity_bytes })
    }

    fn check(&self, offset: u32, bytes: usize) -> Result<u64, FileError> {
        let end = (offset as usize).checked_add(bytes).ok_or(FileError::OutOfBounds)?;
        if end > self.capacity_bytes {
            return Err(FileError::OutOfBounds);
        }
        Ok(u64::from(offset))
    }
}

impl ErrorType for FileFlash {
    type Error = FileError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        let at = self.check(offset, bytes.len())?;
        self.file.read_exact_at(bytes, at).map_err(FileError::Io)
    }

    fn capacity(&self) -> usize {
        self.capacity_bytes
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = ERASE_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        if !from.is_multiple_of(ERASE_BYTES) || !to.is_multiple_of(ERASE_BYTES) {
            return Err(FileError::NotAligned);
        }
        let bytes = to.checked_sub(from).ok_or(FileError::OutOfBounds)?;
        self.check(from, bytes as usize)?;
        let blank = [0xFF; ERASE_BYTES as usize];
        for at in (from..to).step_by(blank.len()) {
            self.file.write_all_at(&blank, u64::from(at)).map_err(FileError::Io)?;
        }
        self.file.sync_data().map_err(FileError::Io)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        let at = self.check(offset, bytes.len())?;
        // A flash clears bits only; so does its file.
        let mut old = vec![0; bytes.len()];
        self.file.read_exact_at(&mut old, at).map_err(FileError::Io)?;
        old.iter_mut().zip(bytes).for_each(|(old, new)| *old &= new);
        self.file.write_all_at(&old, at).map_err(FileError::Io)?;
        self.file.sync_data().map_err(FileError::Io)
    }
}

#[cfg(test)]
mod tests;
