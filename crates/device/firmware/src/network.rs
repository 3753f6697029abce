//! TCP/IP over the board's Ethernet controller: one connection to the gateway, at most.

use crate::console::{Part, say};
use crate::{board, clock, limits, ports};
use core::ops::Range;
use core::ptr::addr_of_mut;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, Ipv4Address, Ipv4Cidr};
use wasmbed_chip_mps2::Lan9118;
use wasmbed_hal::Ethernet;
use wasmbed_runtime::{Closed, Device, Wants};
use wasmbed_wire::Station;

/// A peer that is gone is noticed by this, and a cable that is out.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Silence after which a connection is dead. One lost segment costs smoltcp a second, so a few in
/// a row must fit.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Ports that a client picks from.
///
/// # Source
/// RFC 6335, section 6, "Dynamic Ports".
const LOCAL_PORTS: Range<u16> = 49_152..65_535;

/// Memory of the network, given once.
pub struct Buffers {
    receive: [u8; limits::TCP_RECEIVE_BYTES],
    send: [u8; limits::TCP_SEND_BYTES],
    frame_in: [u8; limits::FRAME_BYTES],
    frame_out: [u8; limits::FRAME_BYTES],
}

/// Apart from the buffers, which are all zero and so take no flash.
static mut SOCKETS: [SocketStorage<'static>; 1] = [SocketStorage::EMPTY];

impl Buffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self {
            receive: [0; limits::TCP_RECEIVE_BYTES],
            send: [0; limits::TCP_SEND_BYTES],
            frame_in: [0; limits::FRAME_BYTES],
            frame_out: [0; limits::FRAME_BYTES],
        }
    }
}

/// Where the one connection stands, as the device was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Closed,
    Connecting,
    Open,
    /// The device asked for the end; what is queued still goes out.
    Closing,
}

/// The way to the gateway.
pub struct Transport {
    nic: Nic,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    phase: Phase,
    wake_at_ms: Option<u64>,
}

impl Transport {
    /// Starts the stack on a controller that was started. `None` if no randomness is there for
    /// sequence numbers.
    pub fn start(buffers: &'static mut Buffers) -> Option<Self> {
        // SAFETY: the board file places the controller there; the other handle only starts it and
        // serves its interrupt.
        let controller = unsafe { Lan9118::new(board::ethernet::BASE) };
        let mut seed = [0; 8];
        if !ports::random(&mut seed) {
            say(&[Part::Text("network: the entropy source is silent")]);
            return None;
        }
        let address = controller.address();
        let mut nic =
            Nic { controller, frame_in: &mut buffers.frame_in, frame_out: &mut buffers.frame_out };
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(address)));
        config.random_seed = u64::from_le_bytes(seed);
        let interface = Interface::new(config, &mut nic, now());
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(&mut buffers.receive[..]),
            tcp::SocketBuffer::new(&mut buffers.send[..]),
        );
        socket.set_keep_alive(Some(KEEP_ALIVE));
        socket.set_timeout(Some(TIMEOUT));
        socket.set_nagle_enabled(false);
        // SAFETY: the buffers are given once, so this is the only reference to the list, ever.
        let sockets = unsafe { &mut *addr_of_mut!(SOCKETS) };
        let mut sockets = SocketSet::new(&mut sockets[..]);
        let socket = sockets.add(socket);
        Some(Self { nic, interface, sockets, socket, phase: Phase::Closed, wake_at_ms: None })
    }

    /// Gives the station its address. Without one nothing can be sent.
    pub fn configure(&mut self, station: &Station) {
        let address = Ipv4Address::from(station.address);
        self.interface.update_ip_addrs(|list| {
            list.clear();
            // The list holds at least one address by the stack's configuration.
            let _ = list.push(IpCidr::Ipv4(Ipv4Cidr::new(address, station.prefix.min(32))));
        });
        if let Some(router) = station.router {
            // The table holds at least one route by the stack's configuration.
            let _ = self.interface.routes_mut().add_default_ipv4_route(Ipv4Address::from(router));
        }
        say(&[
            Part::Text("network: up, "),
            Part::Address(address.octets()),
            Part::Text("/"),
            Part::Number(u64::from(station.prefix)),
        ]);
    }

    /// Moves frames and bytes, and tells `device` what became of its connection. True if anything
    /// of that concerned the device.
    pub fn poll<const GUESTS: usize>(
        &mut self,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) -> bool {
        self.interface.poll(now(), &mut self.nic, &mut self.sockets);
        let has_moved = self.exchange(device, now_ms);
        if has_moved {
            // What was just queued leaves now, not at the next event.
            self.interface.poll(now(), &mut self.nic, &mut self.sockets);
        }
        let delay = self.interface.poll_delay(now(), &self.sockets);
        self.wake_at_ms = delay.map(|delay| now_ms + delay.total_millis());
        has_moved
    }

    /// Moves bytes between device and socket. True if something moved, so frames may be due.
    fn exchange<const GUESTS: usize>(
        &mut self,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) -> bool {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.socket);
        let mut has_moved = false;
        match self.phase {
            Phase::Closed => return false,
            Phase::Connecting if socket.may_send() => {
                self.phase = Phase::Open;
                say(&[Part::Text("network: connected")]);
                device.connected(now_ms);
                has_moved = true;
            }
            Phase::Connecting if !socket.is_open() => {
                self.phase = Phase::Closed;
                say(&[Part::Text("network: the gateway cannot be reached")]);
                device.disconnected(now_ms, Closed::Unreachable);
                return true;
            }
            Phase::Connecting => return false,
            Phase::Open | Phase::Closing => {}
        }
        while socket.can_recv() {
            let taken = socket.recv(|bytes| {
                let taken = device.received(bytes);
                (taken, taken)
            });
            match taken {
                Ok(taken) if taken > 0 => has_moved = true,
                _ => break,
            }
        }
        while socket.can_send() && !device.outgoing().is_empty() {
            match socket.send_slice(device.outgoing()) {
                Ok(taken) if taken > 0 => {
                    device.sent(taken);
                    has_moved = true;
                }
                _ => break,
            }
        }
        if self.phase == Phase::Closing && socket.may_send() && device.outgoing().is_empty() {
            socket.close();
        }
        // The peer's end counts once its last bytes were taken.
        let is_over = !socket.may_recv() && !socket.can_recv();
        let closed = match self.phase {
            Phase::Open if is_over => {
                say(&[Part::Text("network: connection lost")]);
                Closed::ByPeer
            }
            Phase::Closing if is_over || !socket.is_active() => Closed::Requested,
            _ => return has_moved,
        };
        socket.abort();
        self.phase = Phase::Closed;
        device.disconnected(now_ms, closed);
        true
    }

    /// Does what the device wants.
    pub fn obey<const GUESTS: usize>(
        &mut self,
        wants: Wants,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) {
        match (wants, self.phase) {
            // The device waits for no end that never comes: a new session replaces what still closes.
            (Wants::Connect { address, port }, Phase::Closed | Phase::Closing) => {
                let is_tried = self.connect(address, port);
                self.phase = if is_tried { Phase::Connecting } else { Phase::Closed };
                if !is_tried {
                    device.disconnected(now_ms, Closed::Unreachable);
                }
            }
            (Wants::Disconnect, Phase::Closed) => device.disconnected(now_ms, Closed::Requested),
            (Wants::Disconnect, Phase::Open | Phase::Connecting) => {
                // Bytes that are queued go first; see `exchange`.
                self.phase = Phase::Closing;
            }
            _ => {}
        }
    }

    /// False if that is not even tried.
    fn connect(&mut self, address: [u8; 4], port: u16) -> bool {
        let mut random = [0; 2];
        if !ports::random(&mut random) {
            return false;
        }
        let span = LOCAL_PORTS.end - LOCAL_PORTS.start;
        let local = LOCAL_PORTS.start + u16::from_le_bytes(random) % span;
        say(&[
            Part::Text("network: connecting to "),
            Part::Address(address),
            Part::Text(":"),
            Part::Number(u64::from(port)),
        ]);
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.socket);
        socket.abort();
        let remote = (Ipv4Address::from(address), port);
        socket.connect(self.interface.context(), remote, local).is_ok()
    }

    /// When the stack itself has something to do.
    pub fn wake_at_ms(&self) -> Option<u64> {
        self.wake_at_ms
    }

    /// Whether less than a frame may have arrived: never, frames come whole.
    pub const fn has_piece(&self) -> bool {
        false
    }

    /// True if nothing arrived since the last poll. Asks the controller to wake the loop.
    pub fn is_idle(&self) -> bool {
        !self.nic.controller.listen()
    }
}

fn now() -> Instant {
    Instant::from_micros(clock::CLOCK.now_us() as i64)
}

/// Controller and frame buffers, as smoltcp wants them.
struct Nic {
    controller: Lan9118,
    frame_in: &'static mut [u8; limits::FRAME_BYTES],
    frame_out: &'static mut [u8; limits::FRAME_BYTES],
}

/// A frame that arrived.
struct Received<'a>(&'a [u8]);

/// Room for a frame to send.
struct Outgoing<'a> {
    controller: &'a mut Lan9118,
    frame: &'a mut [u8; limits::FRAME_BYTES],
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl phy::TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let length = length.min(limits::FRAME_BYTES);
        let result = write(&mut self.frame[..length]);
        self.controller.send(&self.frame[..length]);
        result
    }
}

impl phy::Device for Nic {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Outgoing<'_>)> {
        if !self.controller.can_send() {
            return None;
        }
        let bytes = self.controller.receive(self.frame_in)?;
        let outgoing = Outgoing { controller: &mut self.controller, frame: self.frame_out };
        Some((Received(&self.frame_in[..bytes]), outgoing))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        let has_room = self.controller.can_send();
        has_room.then_some(Outgoing { controller: &mut self.controller, frame: self.frame_out })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = limits::FRAME_BYTES;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}
