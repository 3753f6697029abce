//! The folder that a platform keeps everything in, and the lock that keeps a second one out.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// How a lock is taken.
type Take = fn(&File) -> Result<(), TryLockError>;

/// A folder of mode 0700 that this process has for itself.
pub struct DataDir {
    path: PathBuf,
    _locks: Vec<File>,
}

impl DataDir {
    /// Takes the folder, making it where it does not exist.
    ///
    /// # Errors
    /// Names the process that has it, if one does.
    pub fn open(path: &Path) -> Result<Self> {
        make(path)?;
        let path = path.canonicalize().with_context(|| format!("open {}", path.display()))?;
        let lock = lock(&path, "lock", File::try_lock)?;
        sign(&lock)?;
        Ok(Self { path, _locks: vec![lock] })
    }

    /// Opens the folder for one role of several that share it.
    ///
    /// # Errors
    /// Names the process that has it for itself, or for this role.
    pub fn open_shared(path: &Path, role: &str) -> Result<Self> {
        make(path)?;
        let path = path.canonicalize().with_context(|| format!("open {}", path.display()))?;
        let folder = lock(&path, "lock", File::try_lock_shared)?;
        let own = lock(&path, &format!("{role}.lock"), File::try_lock)?;
        sign(&own)?;
        // Whoever finds the folder taken is told of one of its roles.
        sign(&folder)?;
        Ok(Self { path, _locks: vec![folder, own] })
    }

    /// A folder or file below.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file with a secret in it, whole or not at all, for the owner only.
    pub fn write_private(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.join(name);
        let partial = self.join(&format!("{name}.partial"));
        let _ = std::fs::remove_file(&partial);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&partial)
            .with_context(|| format!("write {}", partial.display()))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &path).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

fn lock(folder: &Path, name: &str, take: Take) -> Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(folder.join(name))
        .with_context(|| format!("write to {}", folder.display()))?;
    match take(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            bail!(
                "{} is in use by process {}\nhint: stop it, or choose another folder with --data-dir",
                folder.display(),
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("lock {}", folder.display()))
        }
    }
}

/// Writes who holds a lock.
fn sign(mut lock: &File) -> Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())?;
    Ok(())
}

fn make(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("create {}", path.display()))
}
