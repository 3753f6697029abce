//! The entropy that a board reads from its second serial port: random bytes of this machine.
//!
//! They come through a pipe that is filled only once the board is wired. QEMU's STM32 ports take and
//! drop whatever is offered before the firmware enables them, so an endless file would keep QEMU too
//! busy to notice that its other lines are connected (measured with QEMU 10.0.2).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio_util::task::AbortOnDropHandle;

use crate::limits::{ENTROPY_PIPE_BYTES, ENTROPY_WRITE_BYTES};

/// The pipe of one board.
#[derive(Debug)]
pub(crate) struct Entropy {
    sender: pipe::Sender,
    source: File,
}

impl Entropy {
    /// Makes the pipe at `path`, replacing one that is there; empty until it is fed.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)?;
        // Held open both ways: QEMU then never waits for us when it opens it, and never sees an end.
        let sender = pipe::OpenOptions::new().read_write(true).open_sender(path)?;
        rustix::pipe::fcntl_setpipe_size(&sender, ENTROPY_PIPE_BYTES)?;
        Ok(Self { sender, source: File::open("/dev/urandom")? })
    }

    /// Fills the pipe whenever it has room, until the handle is dropped.
    pub(crate) fn feed(mut self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut bytes = [0; ENTROPY_WRITE_BYTES];
            loop {
                let filled = self.source.read_exact(&mut bytes);
                let written = match filled {
                    Ok(()) => self.sender.write_all(&bytes).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = written {
                    tracing::error!(%error, "a board gets no more entropy");
                    return;
                }
            }
        }))
    }
}
