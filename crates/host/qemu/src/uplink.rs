//! The serial line of a board without Ethernet: its session goes to the gateway, its console to the
//! log.

use std::future;
use std::io;
use std::path::PathBuf;

use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wasmbed_link::uplink::{CloseReason, Host, HostEvent};

use crate::console::Console;
use crate::limits::UPLINK_READ_BYTES;
use crate::upstream::Upstream;
use crate::{socket, upstream};

#[cfg(test)]
mod tests;

/// How one serial line is laid.
#[derive(Clone, Debug)]
pub struct UplinkConfig {
    /// Socket to which QEMU connects the serial port.
    pub socket: PathBuf,
    /// `host:port` of the gateway, looked up at each connection.
    pub gateway: String,
    /// Whether it is plugged in at first.
    pub is_plugged: bool,
}

/// A laid serial line; dropped, it is taken away.
#[derive(Debug)]
pub struct Uplink {
    is_plugged: watch::Sender<bool>,
    gateway: watch::Sender<String>,
    connections: watch::Receiver<u64>,
    cancel: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Uplink {
    /// Listens for QEMU at the socket and bridges from then on. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Where the socket cannot be bound.
    pub fn start(config: UplinkConfig, console: Console) -> io::Result<Self> {
        let listener = socket::bind(&config.socket)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let (is_plugged, plugged) = watch::channel(config.is_plugged);
        let (accepted, connections) = watch::channel(0);
        let cancel = CancellationToken::new();
        let (gateway, dialled) = watch::channel(config.gateway);
        let bridge = Bridge {
            console,
            gateway: dialled,
            is_plugged: config.is_plugged,
            host: Host::new(),
            line: None,
            to_line: Vec::new(),
            to_gateway: Vec::new(),
            from_gateway: Vec::new(),
            upstream: Upstream::None,
        };
        let task = tokio::spawn(bridge.run(listener, plugged, accepted, cancel.clone()));
        Ok(Self { is_plugged, gateway, connections, cancel, task: AbortOnDropHandle::new(task) })
    }

    /// Plugs the line in or out. While it is out every byte is lost, both ways.
    pub fn set_plugged(&self, is_plugged: bool) {
        // Told again what it is already, a line must not lose its session.
        self.is_plugged
            .send_if_modified(|before| std::mem::replace(before, is_plugged) != is_plugged);
    }

    /// Has the bridge dial another `host:port` from now on. A session with the former gateway ends.
    pub fn set_gateway(&self, gateway: &str) {
        upstream::redirect(&self.gateway, gateway);
    }

    /// Connections of QEMU so far.
    pub fn connections(&self) -> u64 {
        *self.connections.borrow()
    }

    /// Waits until QEMU has connected `count` times in all.
    pub async fn connected(&self, count: u64) {
        let mut connections = self.connections.clone();
        // The sender lives as long as the task; once it is gone nobody will connect.
        let _ = connections.wait_for(|accepted| *accepted >= count).await;
    }

    /// Takes the line away and waits until it is gone.
    pub async fn stop(self) {
        self.cancel.cancel();
        // A task that panicked is gone as well.
        let _ = self.task.await;
    }
}

struct Bridge {
    console: Console,
    gateway: watch::Receiver<String>,
    is_plugged: bool,
    host: Host,
    line: Option<UnixStream>,
    to_line: Vec<u8>,
    /// Bounded by the credit that the device has.
    to_gateway: Vec<u8>,
    from_gateway: Vec<u8>,
    upstream: Upstream,
}

impl Bridge {
    async fn run(
        mut self,
        listener: UnixListener,
        mut plugged: watch::Receiver<bool>,
        accepted: watch::Sender<u64>,
        cancel: CancellationToken,
    ) {
        loop {
            self.turn();
            let wants_read = self.host.is_open() && self.from_gateway.is_empty();
            let wants_write = !self.to_gateway.is_empty();
            tokio::select! {
                () = cancel.cancelled() => return,
                connection = listener.accept() => {
                    if let Ok((stream, _)) = connection {
                        self.restart();
                        self.line = Some(stream);
                        accepted.send_modify(|count| *count += 1);
                    }
                }
                () = line_ready(self.line.as_ref(), !self.to_line.is_empty()) => self.read_line(),
                () = self.upstream.ready(wants_read, wants_write) => {}
                changed = plugged.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.is_plugged = *plugged.borrow_and_update();
                    self.restart();
                }
                changed = self.gateway.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.close(CloseReason::ByPeer);
                }
            }
        }
    }

    /// Forgets the session and what was under way.
    fn restart(&mut self) {
        self.host = Host::new();
        self.to_line.clear();
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.upstream = Upstream::None;
        self.to_gateway.clear();
        self.from_gateway.clear();
    }

    /// Moves all that can be moved now.
    fn turn(&mut self) {
        if matches!(self.upstream, Upstream::Failed) {
            self.close(CloseReason::Unreachable);
        }
        if let Err(error) = self.exchange() {
            tracing::debug!(%error, "gateway connection lost");
            self.close(CloseReason::ByPeer);
        }
        while let Some(frame) = self.host.control() {
            self.to_line.extend_from_slice(frame.bytes());
        }
        while let Some(frame) = self.host.session(&self.from_gateway) {
            self.to_line.extend(frame.bytes());
            let taken = frame.payload().len();
            self.from_gateway.drain(..taken);
        }
        if !self.is_plugged {
            self.to_line.clear();
        }
        if self.flush_line().is_err() {
            self.line = None;
        }
    }

    fn close(&mut self, reason: CloseReason) {
        if let Some(frame) = self.host.close(reason) {
            self.to_line.extend_from_slice(frame.bytes());
        }
        self.hang_up();
    }

    /// Reads from the gateway and writes to it.
    fn exchange(&mut self) -> io::Result<()> {
        let Upstream::Open { stream, has_ended, .. } = &mut self.upstream else { return Ok(()) };
        while !self.to_gateway.is_empty() {
            match stream.try_write(&self.to_gateway) {
                Ok(count) => {
                    self.to_gateway.drain(..count);
                    self.host.release(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.from_gateway.is_empty() && !*has_ended {
            let mut bytes = [0; UPLINK_READ_BYTES];
            match stream.try_read(&mut bytes) {
                Ok(0) => *has_ended = true,
                Ok(count) => self.from_gateway.extend_from_slice(bytes.split_at(count).0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if *has_ended && self.from_gateway.is_empty() {
            self.close(CloseReason::ByPeer);
        }
        Ok(())
    }

    fn read_line(&mut self) {
        let Some(line) = &self.line else { return };
        let mut bytes = [0; 4096];
        let count = match line.try_read(&mut bytes) {
            Ok(count @ 1..) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(0) | Err(_) => {
                self.line = None;
                self.restart();
                return;
            }
        };
        if self.is_plugged {
            bytes.iter().take(count).for_each(|byte| self.take(*byte));
        }
    }

    fn take(&mut self, byte: u8) {
        match self.host.receive(byte) {
            None => {}
            Some(HostEvent::Session(payload)) => self.to_gateway.extend_from_slice(payload),
            Some(HostEvent::Console(text)) => self.console.write(text),
            Some(HostEvent::Open) => {
                // What was meant for the former session must not reach this one.
                self.to_line.clear();
                self.hang_up();
                self.upstream = Upstream::dial(&self.gateway.borrow_and_update());
            }
            Some(HostEvent::Closed | HostEvent::Lost) => self.hang_up(),
        }
    }

    fn flush_line(&mut self) -> io::Result<()> {
        let Some(line) = &self.line else { return Ok(()) };
        while !self.to_line.is_empty() {
            match line.try_write(&self.to_line) {
                Ok(count) => drop(self.to_line.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Waits until QEMU has sent something, or takes something where that is wanted.
async fn line_ready(line: Option<&UnixStream>, wants_write: bool) {
    let Some(line) = line else { return future::pending().await };
    let interest =
        if wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    // An error shows at the next read or write.
    let _ = line.ready(interest).await;
}
