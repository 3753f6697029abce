//! Where private keys are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

#[cfg(test)]
pub(crate) mod tests;

/// Keeps texts with private keys under short names.
pub trait KeyStore: Send + Sync {
    /// What is kept under `name`, or nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot tell, or others could read it.
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError>;

    /// Keeps `text` unless something is kept under `name`. Returns what is kept there then: when
    /// two processes start at once, both go on with the same key.
    ///
    /// # Errors
    /// [`StoreError`]; the store is then unchanged.
    fn create(&self, name: &str, text: &str) -> Result<Zeroizing<String>, StoreError>;

    /// Keeps `text` in place of what was kept under `name`, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the store is then unchanged.
    fn replace(&self, name: &str, text: &str) -> Result<(), StoreError>;

    /// All names, sorted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&self) -> Result<Vec<String>, StoreError>;
}

/// Why a key store failed. The environment is at fault.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system failed.
    #[error("{operation} {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The API did not answer, or refused.
    #[error("{operation} the Secret of {name}")]
    Api {
        /// What was tried.
        operation: &'static str,
        /// Name in the store.
        name: String,
        /// What the client said.
        source: Box<kube::Error>,
    },
    /// It was there a moment ago.
    #[error("{name} was deleted while it was looked at")]
    Vanished {
        /// Name in the store.
        name: String,
    },
    /// Others than the owner may read or write a key.
    #[error("{path} has mode {mode:o}: others may use the key; set it to 600 once you know why")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// A directory of mode 0700 with one file of mode 0600 a name.
#[derive(Debug)]
pub struct DirectoryStore {
    path: PathBuf,
}

/// End of the name of every file.
const SUFFIX: &str = ".pem";
/// Bits of a mode that give rights to others than the owner.
const OTHERS: u32 = 0o077;

impl DirectoryStore {
    /// Opens the directory, making it where it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| failed("create", &path, source))?;
        Ok(Self { path })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{SUFFIX}"))
    }

    /// A file with `text` that nobody else knows of and that survives a power cut.
    fn stage(&self, text: &str) -> Result<Staged, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!(".new-{}-{number}", std::process::id()));
        // A file of a process that was killed and had the same number.
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path, source));
            }
            _ => {}
        }
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = open.map_err(|source| failed("create", &path, source))?;
        let staged = Staged { path };
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|source| failed("write", &staged.path, source))?;
        Ok(staged)
    }

    fn sync(&self) -> Result<(), StoreError> {
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| failed("sync", &self.path, source))
    }
}

/// A file that goes away with this value.
struct Staged {
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

impl KeyStore for DirectoryStore {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        let path = self.file(name);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("open", &path, source)),
        };
        let metadata = file.metadata().map_err(|source| failed("stat", &path, source))?;
        if metadata.mode() & OTHERS != 0 {
            return Err(StoreError::Exposed { path, mode: metadata.mode() & 0o7777 });
        }
        let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + 1));
        file.read_to_string(&mut text).map_err(|source| failed("read", &path, source))?;
        Ok(Some(text))
    }

    fn create(&self, name: &str, text: &str) -> Result<Zeroizing<String>, StoreError> {
        let path = self.file(name);
        let staged = self.stage(text)?;
        match fs::hard_link(&staged.path, &path) {
            Ok(()) => self.sync()?,
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed("create", &path, source)),
        }
        let gone = || failed("open", &path, io::ErrorKind::NotFound.into());
        self.read(name)?.ok_or_else(gone)
    }

    fn replace(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        let staged = self.stage(text)?;
        fs::rename(&staged.path, &path).map_err(|source| failed("replace", &path, source))?;
        self.sync()
    }

    fn list(&self) -> Result<Vec<String>, StoreError> {
        let read = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.path)? {
                let file_name = entry?.file_name();
                let name = file_name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
                names.extend(name.map(str::to_owned));
            }
            names.sort();
            Ok(names)
        };
        read().map_err(|source| failed("list", &self.path, source))
    }
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { operation, path: path.to_owned(), source }
}
