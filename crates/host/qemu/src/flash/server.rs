//! Serves one flash file to one board over a Unix socket, in a thread of its own.
//!
//! A thread, because every request ends in `fdatasync`; it sleeps in `poll` between requests.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags};
use tokio::sync::watch;
use wasmbed_link::flash::{ANSWER_BYTES_MAX, Command, RequestParser, Status, answer};
use wasmbed_link::limits::FLASH_DATA_BYTES_MAX;

use super::{FlashError, FlashFile};
use crate::limits::FLASH_WRITE_TIMEOUT;
use crate::socket;

/// What a flash server has done since it was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FlashCounters {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes taken from the board.
    pub bytes: u64,
    /// Requests answered.
    pub requests: u64,
    /// Programs and erases made durable.
    pub changes: u64,
}

/// A running flash server; dropped, it stops.
#[derive(Debug)]
pub struct FlashServer {
    shared: Arc<Shared>,
    connections: watch::Receiver<u64>,
    thread: Option<JoinHandle<FlashFile>>,
}

#[derive(Debug)]
struct Shared {
    wake: OwnedFd,
    is_stopping: AtomicBool,
    bytes: AtomicU64,
    requests: AtomicU64,
    changes: AtomicU64,
    /// The connection is cut when this many bytes have been taken in all.
    sever_at: AtomicU64,
}

impl FlashServer {
    /// Listens at `path` and serves `file` there; a new connection replaces the old one.
    ///
    /// # Errors
    /// Where the socket cannot be bound or the thread not be started.
    pub fn start(path: &Path, file: FlashFile) -> io::Result<Self> {
        let listener = socket::bind(path)?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            wake: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            is_stopping: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            sever_at: AtomicU64::new(u64::MAX),
        });
        let (accepted, connections) = watch::channel(0);
        let server = Server {
            listener,
            file,
            shared: Arc::clone(&shared),
            accepted,
            connection: None,
            parser: RequestParser::new(),
        };
        let thread = std::thread::Builder::new()
            .name("flash".into())
            .stack_size(128 * 1024)
            .spawn(move || server.run())?;
        Ok(Self { shared, connections, thread: Some(thread) })
    }

    /// What it has done so far.
    pub fn counters(&self) -> FlashCounters {
        FlashCounters {
            connections: *self.connections.borrow(),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            requests: self.shared.requests.load(Ordering::Relaxed),
            changes: self.shared.changes.load(Ordering::Relaxed),
        }
    }

    /// Waits until `count` connections have been accepted in all.
    pub async fn connected(&self, count: u64) {
        let mut connections = self.connections.clone();
        // The sender lives as long as the thread; once it is gone nobody will connect.
        let _ = connections.wait_for(|accepted| *accepted >= count).await;
    }

    /// Cuts the connection after `bytes` more bytes from the board, as if the server were killed
    /// there and started again: the rest of what arrived is lost, and nothing of it is answered.
    pub fn sever_after(&self, bytes: u64) {
        let at = self.shared.bytes.load(Ordering::Relaxed).saturating_add(bytes);
        self.shared.sever_at.store(at, Ordering::Relaxed);
    }

    /// Stops at the next request boundary and gives the file back.
    ///
    /// # Errors
    /// If the serving thread had panicked.
    pub fn stop(mut self) -> io::Result<FlashFile> {
        self.ask_to_stop();
        let thread = self.thread.take();
        let file = thread.and_then(|thread| thread.join().ok());
        file.ok_or_else(|| io::Error::other("the flash server panicked"))
    }

    fn ask_to_stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        // Full only if it was written already: the thread wakes in both cases.
        let _ = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for FlashServer {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Server {
    listener: UnixListener,
    file: FlashFile,
    shared: Arc<Shared>,
    accepted: watch::Sender<u64>,
    connection: Option<UnixStream>,
    parser: RequestParser,
}

impl Server {
    fn run(mut self) -> FlashFile {
        while !self.shared.is_stopping.load(Ordering::Relaxed) {
            if let Err(error) = self.turn() {
                tracing::debug!(%error, "flash connection lost");
                self.connection = None;
            }
        }
        self.file
    }

    /// Waits for something to happen, and deals with it.
    fn turn(&mut self) -> io::Result<()> {
        let (has_caller, has_bytes) = {
            let mut polled = vec![
                PollFd::new(&self.shared.wake, PollFlags::IN),
                PollFd::new(&self.listener, PollFlags::IN),
            ];
            polled.extend(self.connection.iter().map(|open| PollFd::new(open, PollFlags::IN)));
            match rustix::event::poll(&mut polled, None) {
                Err(rustix::io::Errno::INTR) => return Ok(()),
                other => other?,
            };
            let is_ready =
                |index: usize| polled.get(index).is_some_and(|polled| !polled.revents().is_empty());
            (is_ready(1), is_ready(2))
        };
        if has_caller {
            return self.accept();
        }
        if has_bytes { self.serve() } else { Ok(()) }
    }

    fn accept(&mut self) -> io::Result<()> {
        let (connection, _) = match self.listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            other => other?,
        };
        connection.set_nonblocking(false)?;
        connection.set_write_timeout(Some(FLASH_WRITE_TIMEOUT))?;
        self.connection = Some(connection);
        self.parser = RequestParser::new();
        self.accepted.send_modify(|count| *count += 1);
        Ok(())
    }

    fn serve(&mut self) -> io::Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let mut received = [0; 2048];
        let count = connection.read(&mut received)?;
        if count == 0 {
            self.connection = None;
            return Ok(());
        }
        for byte in received.iter().take(count) {
            let taken = self.shared.bytes.fetch_add(1, Ordering::Relaxed) + 1;
            if taken > self.shared.sever_at.load(Ordering::Relaxed) {
                self.shared.sever_at.store(u64::MAX, Ordering::Relaxed);
                self.connection = None;
                return Ok(());
            }
            let Some((id, command)) = self.parser.push(*byte) else { continue };
            if matches!(command, Command::Program { .. } | Command::Erase { .. }) {
                self.shared.changes.fetch_add(1, Ordering::Relaxed);
            }
            let mut data = [0; FLASH_DATA_BYTES_MAX];
            let (status, data_bytes) = apply(&self.file, command, &mut data);
            let mut target = [0; ANSWER_BYTES_MAX];
            connection.write_all(answer(&mut target, id, status, &data[..data_bytes]))?;
            self.shared.requests.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Does what is asked; answers how it ended and how much of `data` to send.
fn apply(file: &FlashFile, command: Command<'_>, data: &mut [u8]) -> (Status, usize) {
    let (done, data_bytes) = match command {
        Command::Read { address, length } => {
            let target = &mut data[..usize::from(length)];
            (file.read(address, target), usize::from(length))
        }
        Command::Program { address, data } => (file.program(address, data), 0),
        Command::Erase { address } => (file.erase(address), 0),
        Command::Sync { nonce } => {
            data[..4].copy_from_slice(&nonce.to_be_bytes());
            data[4..8].copy_from_slice(&file.flash_bytes().to_be_bytes());
            (Ok(()), 8)
        }
    };
    match done {
        Ok(()) => (Status::Done, data_bytes),
        Err(FlashError::OutOfRange { .. }) => (Status::OutOfRange, 0),
        Err(FlashError::NotErased { .. }) => (Status::NotErased, 0),
        Err(error) => {
            tracing::error!(%error, "flash file");
            (Status::Failed, 0)
        }
    }
}
