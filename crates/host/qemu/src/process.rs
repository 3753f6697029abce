//! A child process that cannot outlive us, watched by a thread of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::sync::watch;

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Exit {
    /// It returned this code.
    #[error("exit code {0}")]
    Code(i32),
    /// This signal ended it.
    #[error("signal {0}")]
    Signal(i32),
    /// It could not be waited for.
    #[error("unknown")]
    Unknown,
}

impl From<io::Result<ExitStatus>> for Exit {
    fn from(status: io::Result<ExitStatus>) -> Self {
        let Ok(status) = status else { return Self::Unknown };
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

/// A running or ended child.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    handle: OwnedFd,
    exit: watch::Receiver<Option<Exit>>,
}

/// What a child writes to.
pub(crate) struct Output {
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

impl Process {
    /// Starts `command` in a process group of its own, to be killed by the kernel when we end.
    ///
    /// The kernel ties that to the *thread* that starts the child, so a thread is made that starts it,
    /// waits for its end, and lives exactly as long.
    pub(crate) fn spawn(mut command: Command) -> io::Result<(Self, Output)> {
        die_with_parent(&mut command);
        command.process_group(0);
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let (ended, exit) = watch::channel(None);
        std::thread::Builder::new().name("process".into()).stack_size(128 * 1024).spawn(
            move || match command.spawn().and_then(open_handle) {
                Err(error) => drop(started.send(Err(error))),
                Ok((mut child, handle)) => {
                    let output =
                        Output { stdout: child.stdout.take(), stderr: child.stderr.take() };
                    drop(started.send(Ok((child.id(), handle, output))));
                    ended.send_replace(Some(Exit::from(child.wait())));
                }
            },
        )?;
        let started = start.recv().map_err(|_| io::Error::other("the starting thread panicked"))?;
        let (pid, handle, output) = started?;
        Ok((Self { pid, handle, exit }, output))
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills it, unless it has ended already.
    pub(crate) fn kill(&self) {
        // The handle names this process and no later one of the same number.
        let _ = rustix::process::pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Exit {
        match self.exit.wait_for(Option::is_some).await {
            Ok(exit) => (*exit).unwrap_or(Exit::Unknown),
            Err(_) => Exit::Unknown,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn open_handle(mut child: Child) -> io::Result<(Child, OwnedFd)> {
    let handle = Pid::from_raw(child.id().cast_signed())
        .ok_or(rustix::io::Errno::SRCH)
        .and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()));
    match handle {
        Ok(handle) => Ok((child, handle)),
        Err(error) => {
            // Without a handle it could not be stopped later.
            child.kill()?;
            child.wait()?;
            Err(error.into())
        }
    }
}

#[expect(unsafe_code, reason = "only code between fork and exec can set the parent-death signal")]
fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have ended before the signal was set.
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: `pre_exec` demands async-signal-safe code: `prepare` makes two system calls and
    // touches no memory but its own copy of `parent`, no lock and no allocator.
    unsafe {
        command.pre_exec(prepare);
    }
}
