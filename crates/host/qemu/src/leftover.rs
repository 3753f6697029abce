//! QEMU processes that a killed manager may have left behind, and the lock against a living one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

const PID_FILE: &str = "qemu.pid";
const LOCK_FILE: &str = "lock";

/// Names one process for good: the number alone is used again.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Identity {
    pid: u32,
    /// Clock ticks from the start of the machine to that of the process.
    start_ticks: u64,
}

/// Holds a directory against other managers.
#[derive(Debug)]
pub(crate) struct Claim(File);

impl Drop for Claim {
    fn drop(&mut self) {
        // Closing would not do: a process that is just being started has the file open as well.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Makes `directory`, for this user only, and holds it against other managers.
pub(crate) fn claim(directory: &Path) -> io::Result<Claim> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join(LOCK_FILE))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(Claim(lock))
}

/// Remembers that `pid`, a child of ours, belongs to `directory`.
pub(crate) fn record(directory: &Path, pid: u32) -> io::Result<()> {
    let identity = Identity { pid, start_ticks: start_ticks(pid)? };
    let text = serde_json::to_vec(&identity).map_err(io::Error::other)?;
    fs::write(directory.join(PID_FILE), text)
}

/// Forgets the process of `directory`: it has ended.
pub(crate) fn forget(directory: &Path) {
    // Missing if it was never recorded; a stale one is found out by its start.
    let _ = fs::remove_file(directory.join(PID_FILE));
}

/// Ends what an earlier manager left running in `directory`; only to be called while it is claimed.
pub(crate) fn reap(directory: &Path) -> io::Result<()> {
    let text = match fs::read(directory.join(PID_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if let Ok(identity) = serde_json::from_slice::<Identity>(&text)
        && let Some(process) = open(&identity)
    {
        tracing::warn!(pid = identity.pid, "ending a board that an earlier manager left running");
        rustix::process::pidfd_send_signal(&process, Signal::KILL)?;
        let timeout = Timespec { tv_sec: 5, tv_nsec: 0 };
        rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout))?;
    }
    forget(directory);
    Ok(())
}

/// A handle on exactly that process, if it still runs.
fn open(identity: &Identity) -> Option<OwnedFd> {
    let pid = i32::try_from(identity.pid).ok().and_then(Pid::from_raw)?;
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Looked at after the handle was opened: the number cannot have changed hands in between.
    (start_ticks(identity.pid).ok()? == identity.start_ticks).then_some(process)
}

/// # Source
/// proc_pid_stat(5), field 22; the name in field 2 may hold blanks and brackets.
fn start_ticks(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = text.rsplit_once(')').map(|(_, fields)| fields);
    let field = fields.and_then(|fields| fields.split_whitespace().nth(19));
    field.and_then(|field| field.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
