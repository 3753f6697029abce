//! The virtual cable of an Ethernet board: frames of one QEMU, a relay to one gateway, a capture.
//!
//! A board reaches its gateway through it and nothing else: the relay answers at one address and
//! port, and dials one target at a time.

mod frames;
mod relay;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::capture::{Capture, Medium};
use crate::impairment::Impairment;
use crate::{socket, upstream};

use self::relay::Relay;
use self::wire::Wire;

/// Address of the relay, as boards see it: their gateway. Chosen: private, and rarely met.
pub const RELAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 1);
/// Address of every board on its own cable.
pub const STATION_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 2);
/// Bits of the network of a cable: two addresses.
pub const PREFIX_BITS: u8 = 30;
/// TCP port at which the relay answers.
pub const RELAY_PORT: u16 = 4433;

/// How one cable is laid.
#[derive(Clone, Debug)]
pub struct CableConfig {
    /// Socket to which QEMU connects its network.
    pub socket: PathBuf,
    /// `host:port` of the gateway, looked up at each connection.
    pub gateway: String,
    /// Whether it is plugged in at first.
    pub is_plugged: bool,
    /// How bad it is at first.
    pub impairment: Impairment,
    /// Where to write all frames as pcap, if anywhere. An existing file is replaced.
    pub capture: Option<PathBuf>,
}

/// What passed a cable since it was laid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CableCounters {
    /// Frames from the board.
    pub frames_up: u64,
    /// Frames to the board.
    pub frames_down: u64,
    /// Frames lost: the cable was out or bad, or the relay or QEMU too slow.
    pub frames_lost: u64,
    /// Frames that came twice, on a bad cable.
    pub frames_doubled: u64,
    /// Frames that came with one bit changed, on a bad cable.
    pub frames_garbled: u64,
    /// TCP connections the board opened.
    pub connections: u64,
    /// Times that QEMU was cut off because it sent what is no frame.
    pub protocol_errors: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    frames_up: AtomicU64,
    frames_down: AtomicU64,
    frames_lost: AtomicU64,
    frames_doubled: AtomicU64,
    frames_garbled: AtomicU64,
    connections: AtomicU64,
    protocol_errors: AtomicU64,
}

/// A laid cable; dropped, it is taken away.
#[derive(Debug)]
pub struct Cable {
    is_plugged: watch::Sender<bool>,
    impairment: watch::Sender<Impairment>,
    gateway: watch::Sender<String>,
    counters: Arc<Counters>,
    cancel: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Cable {
    /// Listens for QEMU at the socket and relays from then on. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Where the socket cannot be bound or the capture not be written.
    pub fn start(config: CableConfig) -> io::Result<Self> {
        let listener = socket::bind(&config.socket)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let create = |path| Capture::create(path, Medium::Ethernet);
        let capture = config.capture.as_deref().map(create).transpose()?;
        let counters = Arc::new(Counters::default());
        let (is_plugged, plugged) = watch::channel(config.is_plugged);
        let (impairment, impaired) = watch::channel(config.impairment);
        let wire = Wire::new(capture, config.is_plugged, config.impairment, Arc::clone(&counters));
        let cancel = CancellationToken::new();
        let (gateway, dialled) = watch::channel(config.gateway);
        let relay = Relay::new(wire, dialled, Arc::clone(&counters));
        let task = tokio::spawn(relay.run(listener, plugged, impaired, cancel.clone()));
        let task = AbortOnDropHandle::new(task);
        Ok(Self { is_plugged, impairment, gateway, counters, cancel, task })
    }

    /// Plugs the cable in or out. While it is out every frame is lost, both ways.
    pub fn set_plugged(&self, is_plugged: bool) {
        // Told again what it is already, a line must not lose its session.
        self.is_plugged
            .send_if_modified(|before| std::mem::replace(before, is_plugged) != is_plugged);
    }

    /// Makes the cable better or worse from now on. Sessions go on as well as they can.
    pub fn set_impairment(&self, impairment: Impairment) {
        self.impairment
            .send_if_modified(|before| std::mem::replace(before, impairment) != impairment);
    }

    /// Has the relay dial another `host:port` from now on. A session with the former gateway ends.
    pub fn set_gateway(&self, gateway: &str) {
        upstream::redirect(&self.gateway, gateway);
    }

    /// What has passed so far.
    pub fn counters(&self) -> CableCounters {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CableCounters {
            frames_up: load(&self.counters.frames_up),
            frames_down: load(&self.counters.frames_down),
            frames_lost: load(&self.counters.frames_lost),
            frames_doubled: load(&self.counters.frames_doubled),
            frames_garbled: load(&self.counters.frames_garbled),
            connections: load(&self.counters.connections),
            protocol_errors: load(&self.counters.protocol_errors),
        }
    }

    /// Takes the cable away and waits until it is gone.
    pub async fn stop(self) {
        self.cancel.cancel();
        // A task that panicked is gone as well.
        let _ = self.task.await;
    }
}
