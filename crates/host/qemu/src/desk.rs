//! The flash and entropy lines of a real board, over serial devices of this machine.
//!
//! A board whose board file puts them on serial ports has no other flash and no other entropy: what
//! QEMU has as sockets and pipes, a desk has as adapters. Left out: the uplink, which is [`Uplink`]'s.
//!
//! [`Uplink`]: crate::Uplink

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use crate::flash::{FlashFile, FlashServer};
use crate::limits::{ENTROPY_WRITE_BYTES, LINE_PIECE_BYTES_MAX};
use crate::line::{Line, SerialDevice};
use crate::socket;

#[cfg(test)]
mod tests;

/// What stands at our end of such a line.
#[derive(Debug)]
pub enum DeskService {
    /// A flash, served from its file over a private socket.
    Flash {
        /// The flash.
        file: FlashFile,
        /// Where the socket is bound; removed at the end.
        socket: PathBuf,
    },
    /// Random bytes of this machine, as many as the line takes.
    Entropy,
}

/// A served line; dropped, it is served no more.
#[derive(Debug)]
pub struct DeskLine {
    socket: Option<PathBuf>,
    _server: Option<FlashServer>,
    _task: AbortOnDropHandle<()>,
}

impl DeskLine {
    /// Serves whenever the device is there. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Where the socket or the random source cannot be had. A device that is not there is waited for.
    pub fn start(device: &Path, baud: u32, service: DeskService) -> io::Result<Self> {
        let device = SerialDevice::new(device, baud);
        match service {
            DeskService::Flash { file, socket } => {
                let server = FlashServer::start(&socket, file)?;
                let task = tokio::spawn(join(device, socket.clone()));
                let (socket, server) = (Some(socket), Some(server));
                Ok(Self { socket, _server: server, _task: AbortOnDropHandle::new(task) })
            }
            DeskService::Entropy => {
                let task = tokio::spawn(feed(device, File::open("/dev/urandom")?));
                Ok(Self { socket: None, _server: None, _task: AbortOnDropHandle::new(task) })
            }
        }
    }
}

impl Drop for DeskLine {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Joins the device and the server's socket, anew each time that the device comes back.
async fn join(mut device: SerialDevice, socket: PathBuf) {
    loop {
        let line = Line::Device(device.open().await);
        let joined = match connect(&socket) {
            Ok(stream) => carry(&line, &Line::Socket(stream)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = joined {
            tracing::warn!(%error, "flash line is gone");
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = socket::connect(path)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// Copies both ways until one side is gone.
pub(crate) async fn carry(one: &Line, other: &Line) -> io::Result<()> {
    tokio::try_join!(copy(one, other), copy(other, one)).map(drop)
}

async fn copy(from: &Line, to: &Line) -> io::Result<()> {
    let mut bytes = vec![0; LINE_PIECE_BYTES_MAX];
    loop {
        from.ready(false).await;
        let count = match from.try_read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        to.write_all(bytes.split_at(count).0).await?;
    }
}

/// Fills the line with random bytes whenever it has room.
async fn feed(mut device: SerialDevice, mut source: File) {
    let mut bytes = [0; ENTROPY_WRITE_BYTES];
    loop {
        let line = Line::Device(device.open().await);
        let ended = loop {
            let filled = source.read_exact(&mut bytes);
            let written = match filled {
                Ok(()) => line.write_all(&bytes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                break error;
            }
        };
        tracing::warn!(error = %ended, "entropy line is gone");
    }
}
