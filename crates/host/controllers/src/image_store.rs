//! Device images in a directory: `DIR/sha256/HEX`, each whole and with the right digest, and beside it
//! `HEX.map`, where its code came from.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wasmbed_model::ids::{self, Digest};
use wasmbed_model::image_store::{ImageStore, ImageStoreError};

#[cfg(test)]
mod tests;

/// A directory of images. Several processes may use it at once.
#[derive(Clone, Debug)]
pub struct ImageDirectory {
    path: PathBuf,
}

impl ImageDirectory {
    /// Opens the directory, making it where it does not exist.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageStoreError> {
        let path = path.as_ref().join("sha256");
        fs::create_dir_all(&path).map_err(|source| failed("create", source))?;
        Ok(Self { path })
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.path.join(digest.to_string())
    }

    fn map_file(&self, image: &Digest) -> PathBuf {
        self.path.join(format!("{image}.map"))
    }

    /// Writes a file whole or not at all, and returns once it survives a power cut.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), ImageStoreError> {
        let write = || -> io::Result<()> {
            let staged = self.stage(bytes)?;
            fs::rename(staged, path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| failed("write", source))
    }

    fn stage(&self, image: &[u8]) -> io::Result<PathBuf> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!(".new-{}-{number}", std::process::id()));
        let mut file = File::create(&path)?;
        file.write_all(image)?;
        file.sync_all()?;
        Ok(path)
    }
}

impl ImageStore for ImageDirectory {
    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError> {
        match fs::read(self.file(digest)) {
            Ok(image) if ids::sha256(&image) == *digest => Ok(Some(image)),
            Ok(_) => {
                // Damaged on its medium: gone, so that it is made again.
                tracing::warn!(%digest, "an image was damaged and is removed");
                self.remove(digest)?;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", source)),
        }
    }

    fn contains(&self, digest: &Digest) -> Result<bool, ImageStoreError> {
        self.file(digest).try_exists().map_err(|source| failed("look", source))
    }

    fn write(&self, image: &[u8]) -> Result<Digest, ImageStoreError> {
        let digest = ids::sha256(image);
        self.put(&self.file(&digest), image)?;
        Ok(digest)
    }

    fn read_source_map(&self, image: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError> {
        match fs::read(self.map_file(image)) {
            Ok(map) => Ok(Some(map)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", source)),
        }
    }

    fn write_source_map(&self, image: &Digest, map: &[u8]) -> Result<(), ImageStoreError> {
        self.put(&self.map_file(image), map)
    }

    fn remove(&self, digest: &Digest) -> Result<(), ImageStoreError> {
        for path in [self.map_file(digest), self.file(digest)] {
            match fs::remove_file(path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove", source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<Digest>, ImageStoreError> {
        let list = || -> io::Result<Vec<Digest>> {
            let mut digests = Vec::new();
            for entry in fs::read_dir(&self.path)? {
                digests.extend(entry?.file_name().to_str().and_then(ids::parse_digest));
            }
            Ok(digests)
        };
        list().map_err(|source| failed("list", source))
    }
}

fn failed(operation: &'static str, source: io::Error) -> ImageStoreError {
    ImageStoreError::Io { operation, source }
}
