//! Unix sockets in the directory of a board: private, and bound whatever the length of the path.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::limits::SOCKET_PATH_BYTES_MAX;

/// Binds `path`, replacing what a killed process left there; only this user may connect.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = with_short(path, |short| UnixListener::bind(short))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to `path`.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    with_short(path, |short| UnixStream::connect(short))
}

/// Calls `action` with a name of `path` that fits the 108 bytes of a socket address.
fn with_short<T>(path: &Path, action: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES_MAX {
        return action(path);
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return action(path);
    };
    let directory = fs::File::open(directory)?;
    action(&PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name))
}
