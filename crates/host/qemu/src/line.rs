//! What carries the bytes of a serial line: a socket of QEMU, or a serial device of this machine.

use std::fs::File;
use std::future;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{ControlModes, OptionalActions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Interval, MissedTickBehavior};

use crate::limits::LINE_OPEN_INTERVAL;

/// An open line.
#[derive(Debug)]
pub(crate) enum Line {
    Socket(UnixStream),
    Device(AsyncFd<File>),
}

impl Line {
    /// Waits until something has come, or can be sent where that is wanted.
    pub(crate) async fn ready(&self, wants_write: bool) {
        let interest =
            if wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        // An error shows at the next read or write.
        match self {
            Self::Socket(stream) => drop(stream.ready(interest).await),
            Self::Device(device) => drop(device.ready(interest).await),
        }
    }

    /// Reads what is there; an end is an error, since a line has none while it is plugged in.
    pub(crate) fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = match self {
            Self::Socket(stream) => stream.try_read(bytes),
            Self::Device(device) => {
                device.try_io(Interest::READABLE, |file| (&mut &*file).read(bytes))
            }
        }?;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }

    /// Writes all of it, as fast as the line takes it.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.writable().await;
            match self.try_write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn writable(&self) {
        match self {
            Self::Socket(stream) => drop(stream.writable().await),
            Self::Device(device) => drop(device.writable().await),
        }
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.try_write(bytes),
            Self::Device(device) => {
                device.try_io(Interest::WRITABLE, |file| (&mut &*file).write(bytes))
            }
        }
    }
}

/// Where lines come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// QEMU connects, again and again.
    Socket(UnixListener),
    /// A device is opened whenever it is there.
    Device(SerialDevice),
}

impl Source {
    /// The next line. While one is open, only a socket has another, which replaces it.
    pub(crate) async fn next(&mut self, has_line: bool) -> Line {
        match self {
            Self::Socket(listener) => loop {
                if let Ok((stream, _)) = listener.accept().await {
                    return Line::Socket(stream);
                }
            },
            Self::Device(_) if has_line => future::pending().await,
            Self::Device(device) => Line::Device(device.open().await),
        }
    }
}

/// A serial device of this machine, as `/dev/ttyUSB0`.
#[derive(Debug)]
pub(crate) struct SerialDevice {
    path: PathBuf,
    baud: u32,
    retries: Interval,
    /// What was said last about it: each trouble is told once.
    told: Option<String>,
}

impl SerialDevice {
    pub(crate) fn new(path: &Path, baud: u32) -> Self {
        let mut retries = tokio::time::interval(LINE_OPEN_INTERVAL);
        retries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { path: path.into(), baud, retries, told: None }
    }

    /// Opens it, as soon as it can be opened.
    pub(crate) async fn open(&mut self) -> AsyncFd<File> {
        loop {
            self.retries.tick().await;
            let path = self.path.display();
            match open(&self.path, self.baud).and_then(register) {
                Ok(device) => {
                    self.told = None;
                    tracing::info!(device = %path, baud = self.baud, "serial line is open");
                    return device;
                }
                Err(error) => {
                    let trouble = error.to_string();
                    if self.told.as_ref() != Some(&trouble) {
                        tracing::warn!(device = %path, error = trouble, "waiting for the serial line");
                    }
                    self.told = Some(trouble);
                }
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "sound for a file, which owns its descriptor; the other is unsafe code"
)]
pub(crate) fn register(file: File) -> io::Result<AsyncFd<File>> {
    AsyncFd::with_interest(file, Interest::READABLE | Interest::WRITABLE)
}

/// Opens a serial device for this process alone, raw, with 8 data bits, no parity, one stop bit and no
/// flow control.
fn open(path: &Path, baud: u32) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut settings = rustix::termios::tcgetattr(&file)?;
    rustix::termios::ioctl_tiocexcl(&file)?;
    settings.make_raw();
    settings.control_modes.remove(ControlModes::CSTOPB | ControlModes::CRTSCTS);
    settings.control_modes.insert(ControlModes::CLOCAL | ControlModes::CREAD);
    settings.set_speed(baud)?;
    rustix::termios::tcsetattr(&file, OptionalActions::Now, &settings)?;
    // What lies in the buffers is from before anybody listened.
    rustix::termios::tcflush(&file, rustix::termios::QueueSelector::IOFlush)?;
    Ok(file)
}
