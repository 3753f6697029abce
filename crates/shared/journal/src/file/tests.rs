//! A journal in a file.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::{FileError, FileFlash};
use crate::{Journal, Key};

/// A path that is gone when the test is over.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wasmbed-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_value_is_there_when_the_file_is_opened_again_and_nobody_else_may_read_it() {
    let place = Place::new("reopened");
    let mut flash = FileFlash::create(&place.0, 8192).unwrap();
    let mut journal = Journal::mount(&mut flash).unwrap();
    journal.store(&mut flash, Key::new(1), b"kept").unwrap();
    drop(flash);
    let mut flash = FileFlash::open(&place.0).unwrap();
    let mut journal = Journal::mount(&mut flash).unwrap();
    let mut target = [0; 8];
    assert_eq!(journal.fetch(&mut flash, Key::new(1), &mut target), Ok(Some(4)));
    assert_eq!(&target[..4], b"kept");
    let mode = std::fs::metadata(&place.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_exists_is_not_made_blank_again() {
    let place = Place::new("existing");
    FileFlash::create(&place.0, 8192).unwrap();
    assert!(FileFlash::create(&place.0, 8192).is_err());
}

#[test]
fn it_behaves_as_a_flash_does() {
    let place = Place::new("flash");
    let mut flash = FileFlash::create(&place.0, 8192).unwrap();
    flash.write(10, &[0b1100]).unwrap();
    flash.write(10, &[0b1010]).unwrap();
    let mut byte = [0];
    flash.read(10, &mut byte).unwrap();
    assert_eq!(byte, [0b1000], "a program clears bits only");
    flash.erase(0, 4096).unwrap();
    flash.read(10, &mut byte).unwrap();
    assert_eq!(byte, [0xFF]);
    assert!(matches!(flash.erase(1, 4096), Err(FileError::NotAligned)));
    assert!(matches!(flash.erase(4096, 12_288), Err(FileError::OutOfBounds)));
    assert!(matches!(flash.write(8191, &[0; 2]), Err(FileError::OutOfBounds)));
    assert!(matches!(flash.read(u32::MAX, &mut byte), Err(FileError::OutOfBounds)));
    assert_eq!(flash.capacity(), 8192);
}
