//! The serial line of a board without Ethernet: its session goes to the gateway, its console to the
//! log.

mod bridge;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::capture::{Capture, Medium};
use crate::console::Console;
use crate::impairment::Impairment;
use crate::line::{SerialDevice, Source};
use crate::{socket, upstream};

use self::bridge::{Bridge, Changes};

/// What a serial line is laid over.
#[derive(Clone, Debug)]
pub enum LineEnd {
    /// A Unix socket to which QEMU connects the serial port.
    Socket(PathBuf),
    /// A serial device of this machine, opened whenever it is there.
    Device {
        /// Its path, as `/dev/ttyUSB0`.
        path: PathBuf,
        /// Bits a second.
        baud: u32,
    },
}

/// How one serial line is laid.
#[derive(Clone, Debug)]
pub struct UplinkConfig {
    /// What it is laid over.
    pub end: LineEnd,
    /// `host:port` of the gateway, looked up at each connection.
    pub gateway: String,
    /// Whether it is plugged in at first.
    pub is_plugged: bool,
    /// How bad it is at first.
    pub impairment: Impairment,
    /// Where to write all bytes as pcap, if anywhere. An existing file is replaced.
    pub capture: Option<PathBuf>,
}

/// What passed a serial line since it was laid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UplinkCounters {
    /// Bytes from the device.
    pub bytes_up: u64,
    /// Bytes to the device.
    pub bytes_down: u64,
    /// Bytes lost: the line was out or bad.
    pub bytes_lost: u64,
    /// Bytes that came twice, on a bad line.
    pub bytes_doubled: u64,
    /// Bytes that came with one bit changed, on a bad line.
    pub bytes_garbled: u64,
    /// Sessions the device opened.
    pub sessions: u64,
    /// Sessions that ended because what arrived was no frame, or one was missing.
    pub sessions_lost: u64,
}

#[derive(Debug, Default)]
struct Counters {
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    bytes_lost: AtomicU64,
    bytes_doubled: AtomicU64,
    bytes_garbled: AtomicU64,
    sessions: AtomicU64,
    sessions_lost: AtomicU64,
}

/// A laid serial line; dropped, it is taken away.
#[derive(Debug)]
pub struct Uplink {
    is_plugged: watch::Sender<bool>,
    impairment: watch::Sender<Impairment>,
    gateway: watch::Sender<String>,
    counters: Arc<Counters>,
    connections: watch::Receiver<u64>,
    cancel: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Uplink {
    /// Opens the line whenever it can be had and bridges from then on. Must be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// Where the socket cannot be bound or the capture not be written. A device that is not there is
    /// waited for.
    pub fn start(config: UplinkConfig, console: Console) -> io::Result<Self> {
        let source = match &config.end {
            LineEnd::Socket(path) => {
                let listener = socket::bind(path)?;
                listener.set_nonblocking(true)?;
                Source::Socket(UnixListener::from_std(listener)?)
            }
            LineEnd::Device { path, baud } => Source::Device(SerialDevice::new(path, *baud)),
        };
        let create = |path| Capture::create(path, Medium::Serial);
        let capture = config.capture.as_deref().map(create).transpose()?;
        let (is_plugged, plugged) = watch::channel(config.is_plugged);
        let (impairment, impaired) = watch::channel(config.impairment);
        let (gateway, dialled) = watch::channel(config.gateway);
        let (opened, connections) = watch::channel(0);
        let cancel = CancellationToken::new();
        let counters = Arc::new(Counters::default());
        let changes =
            Changes { plugged, impairment: impaired, gateway: dialled, cancel: cancel.clone() };
        let bridge = Bridge::new(console, changes, capture, Arc::clone(&counters));
        let task = AbortOnDropHandle::new(tokio::spawn(bridge.run(source, opened)));
        Ok(Self { is_plugged, impairment, gateway, counters, connections, cancel, task })
    }

    /// Plugs the line in or out. While it is out every byte is lost, both ways.
    pub fn set_plugged(&self, is_plugged: bool) {
        // Told again what it is already, a line must not lose its session.
        self.is_plugged
            .send_if_modified(|before| std::mem::replace(before, is_plugged) != is_plugged);
    }

    /// Makes the line better or worse from now on. Sessions go on as well as they can.
    pub fn set_impairment(&self, impairment: Impairment) {
        self.impairment
            .send_if_modified(|before| std::mem::replace(before, impairment) != impairment);
    }

    /// Has the bridge dial another `host:port` from now on. A session with the former gateway ends.
    pub fn set_gateway(&self, gateway: &str) {
        upstream::redirect(&self.gateway, gateway);
    }

    /// What has passed so far.
    pub fn counters(&self) -> UplinkCounters {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UplinkCounters {
            bytes_up: load(&self.counters.bytes_up),
            bytes_down: load(&self.counters.bytes_down),
            bytes_lost: load(&self.counters.bytes_lost),
            bytes_doubled: load(&self.counters.bytes_doubled),
            bytes_garbled: load(&self.counters.bytes_garbled),
            sessions: load(&self.counters.sessions),
            sessions_lost: load(&self.counters.sessions_lost),
        }
    }

    /// Times that the line was opened so far.
    pub fn connections(&self) -> u64 {
        *self.connections.borrow()
    }

    /// Waits until the line was opened `count` times in all.
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
