//! The far end of a cable: a TCP endpoint for one board, copied to one gateway.
//!
//! The newest connection of the board replaces the older one: a board that was reset has forgotten it.

use std::collections::VecDeque;
use std::future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as HostInstant};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::frames::FrameReader;
use super::wire::Wire;
use super::{Counters, PREFIX_BITS, RELAY_ADDRESS, RELAY_PORT};
use crate::impairment::Impairment;
use crate::limits::{RELAY_BUFFER_BYTES, RELAY_SILENCE_TIMEOUT};
use crate::upstream::Upstream;

/// Locally administered; the same on every cable, since no two are joined.
const RELAY_MAC: EthernetAddress = EthernetAddress([0x02, 0, 0x0A, 0x53, 0, 0x01]);

/// One that listens, one that shakes hands, one that is open.
const SOCKETS: usize = 3;

pub(super) struct Relay {
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    /// All sockets but the listening one, newest connection first.
    used: VecDeque<SocketHandle>,
    listening: SocketHandle,
    active: Option<SocketHandle>,
    upstream: Upstream,
    gateway: watch::Receiver<String>,
    counters: Arc<Counters>,
    started: HostInstant,
}

impl Relay {
    pub(super) fn new(
        mut wire: Wire,
        gateway: watch::Receiver<String>,
        counters: Arc<Counters>,
    ) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(RELAY_MAC));
        config.random_seed = RandomState::new().build_hasher().finish();
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // Room for one address is a constant of smoltcp's build and at least one.
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(RELAY_ADDRESS), PREFIX_BITS));
        });
        let mut sockets = SocketSet::new(Vec::new());
        let mut used = VecDeque::new();
        (0..SOCKETS).for_each(|_| used.push_back(sockets.add(new_socket())));
        let listening = sockets.add(new_socket());
        let mut relay = Self {
            wire,
            interface,
            sockets,
            used,
            listening,
            active: None,
            upstream: Upstream::None,
            gateway,
            counters,
            started: HostInstant::now(),
        };
        relay.listen();
        relay
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as i64)
    }

    fn listen(&mut self) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.listening);
        socket.abort();
        socket.set_timeout(Some(RELAY_SILENCE_TIMEOUT.into()));
        socket.set_nagle_enabled(false);
        // Delayed answers would cost a board 10 ms at each step of a handshake.
        socket.set_ack_delay(None);
        // The socket is closed and the port is not zero, which are the two errors there are.
        let _ = socket.listen(RELAY_PORT);
    }

    /// Carries until it is cancelled. Sleeps whenever nothing is under way.
    pub(super) async fn run(
        mut self,
        listener: UnixListener,
        mut plugged: watch::Receiver<bool>,
        mut impairment: watch::Receiver<Impairment>,
        cancel: CancellationToken,
    ) {
        let mut link: Option<Link> = None;
        loop {
            let delay = self.turn();
            if let Some(open) = &mut link
                && open.flush(&mut self.wire.backlog).is_err()
            {
                link = None;
            }
            let (wants_read, wants_write) = self.wants();
            tokio::select! {
                () = cancel.cancelled() => return,
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        self.wire.clear();
                        link = Some(Link { stream, reader: FrameReader::default() });
                    }
                }
                () = ready(link.as_ref(), !self.wire.backlog.is_empty()) => {
                    self.take_frames(&mut link);
                }
                () = self.upstream.ready(wants_read, wants_write) => {}
                () = sleep(delay) => {}
                changed = plugged.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.wire.set_plugged(*plugged.borrow_and_update());
                }
                changed = impairment.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.wire.set_impairment(*impairment.borrow_and_update());
                }
                changed = self.gateway.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.hang_up();
                }
            }
        }
    }

    fn take_frames(&mut self, link: &mut Option<Link>) {
        let Some(open) = link else { return };
        self.wire.advance(self.started.elapsed());
        match open.read(&mut self.wire) {
            Ok(true) => {}
            Ok(false) => *link = None,
            Err(error) => {
                tracing::warn!(%error, "cable cut off");
                self.counters.protocol_errors.fetch_add(1, Ordering::Relaxed);
                *link = None;
            }
        }
    }

    /// Does all that can be done now; answers when to be called again at the latest.
    fn turn(&mut self) -> Option<Duration> {
        self.wire.advance(self.started.elapsed());
        loop {
            self.interface.poll(self.now(), &mut self.wire, &mut self.sockets);
            self.sort_connections();
            if !self.copy() {
                break;
            }
        }
        let delay = self.interface.poll_delay(self.now(), &self.sockets);
        let delay = delay.map(|delay| Duration::from_micros(delay.total_micros()));
        [delay, self.wire.next_delay()].into_iter().flatten().min()
    }

    /// Notices new connections, replaces older ones by them, and keeps one socket listening.
    fn sort_connections(&mut self) {
        if self.sockets.get::<Socket<'_>>(self.listening).state() != State::Listen {
            self.used.push_front(self.listening);
            if let Some(oldest) = self.used.pop_back() {
                if self.active == Some(oldest) {
                    self.hang_up();
                }
                self.listening = oldest;
                self.listen();
            }
        }
        let newest = self.used.iter().copied().find(|handle| {
            matches!(
                self.sockets.get::<Socket<'_>>(*handle).state(),
                State::Established | State::CloseWait
            )
        });
        if newest.is_some() && newest != self.active && self.is_newer(newest) {
            self.hang_up();
            self.active = newest;
            self.counters.connections.fetch_add(1, Ordering::Relaxed);
            self.upstream = Upstream::dial(&self.gateway.borrow_and_update());
        }
        if let Some(active) = self.active
            && (matches!(self.upstream, Upstream::Failed)
                || !self.sockets.get::<Socket<'_>>(active).is_open())
        {
            self.hang_up();
        }
    }

    fn is_newer(&self, candidate: Option<SocketHandle>) -> bool {
        let position = |wanted: SocketHandle| self.used.iter().position(|used| *used == wanted);
        let Some(active) = self.active else { return true };
        candidate.and_then(position) < position(active)
    }

    /// Ends the active connection on both sides.
    fn hang_up(&mut self) {
        if let Some(active) = self.active.take() {
            self.sockets.get_mut::<Socket<'_>>(active).abort();
        }
        self.upstream = Upstream::None;
    }

    /// Copies between board and gateway what has room; answers whether anything moved.
    fn copy(&mut self) -> bool {
        let Some(active) = self.active else { return false };
        let Upstream::Open { stream, has_ended, is_shut } = &mut self.upstream else {
            return false;
        };
        let socket = self.sockets.get_mut::<Socket<'_>>(active);
        match copy(socket, stream, has_ended, is_shut) {
            Ok(has_moved) => has_moved,
            Err(error) => {
                tracing::debug!(%error, "gateway connection lost");
                self.hang_up();
                true
            }
        }
    }

    /// Whether the gateway's stream is worth waiting for, to read and to write.
    fn wants(&self) -> (bool, bool) {
        let (Some(active), Upstream::Open { has_ended, .. }) = (self.active, &self.upstream) else {
            return (false, false);
        };
        let socket = self.sockets.get::<Socket<'_>>(active);
        (socket.can_send() && !has_ended, socket.can_recv())
    }
}

/// Copies both ways between a board's socket and a gateway's stream.
fn copy(
    socket: &mut Socket<'_>,
    stream: &TcpStream,
    has_ended: &mut bool,
    is_shut: &mut bool,
) -> io::Result<bool> {
    let mut has_moved = false;
    while socket.can_recv() {
        let written = socket.recv(|bytes| split(stream.try_write(bytes)));
        if written.map_err(io::Error::other)?? == 0 {
            break;
        }
        has_moved = true;
    }
    if !socket.may_recv() && !socket.can_recv() && !*is_shut {
        // The board has said all it had to say.
        rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?;
        *is_shut = true;
    }
    while socket.can_send() && !*has_ended {
        let mut is_over = false;
        let read = socket.send(|room| {
            if room.is_empty() {
                return (0, Ok(0));
            }
            let read = stream.try_read(room);
            is_over = matches!(read, Ok(0));
            split(read)
        });
        let count = read.map_err(io::Error::other)??;
        if is_over {
            *has_ended = true;
            socket.close();
        } else if count == 0 {
            break;
        }
        has_moved = true;
    }
    Ok(has_moved)
}

/// A count for smoltcp, and the result: would-block is a count of zero.
fn split(result: io::Result<usize>) -> (usize, io::Result<usize>) {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, Ok(0)),
        Ok(count) => (count, Ok(count)),
        Err(error) => (0, Err(error)),
    }
}

fn new_socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; RELAY_BUFFER_BYTES]);
    Socket::new(buffer(), buffer())
}

/// The connection of one QEMU.
struct Link {
    stream: UnixStream,
    reader: FrameReader,
}

impl Link {
    /// Takes the frames that have arrived; false when QEMU is gone.
    fn read(&mut self, wire: &mut Wire) -> io::Result<bool> {
        let mut bytes = [0; 16 * 1024];
        match self.stream.try_read(&mut bytes) {
            Ok(0) => Ok(false),
            Ok(count) => {
                let (received, _) = bytes.split_at(count);
                let parsed = self.reader.push(received, |frame| wire.push(frame));
                parsed.map(|()| true).map_err(io::Error::other)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Sends what QEMU takes of `backlog`.
    fn flush(&self, backlog: &mut Vec<u8>) -> io::Result<()> {
        while !backlog.is_empty() {
            match self.stream.try_write(backlog) {
                Ok(count) => drop(backlog.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Waits until QEMU has sent something, or takes something where that is wanted.
async fn ready(link: Option<&Link>, wants_write: bool) {
    let Some(link) = link else { return future::pending().await };
    let interest =
        if wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    // An error shows at the next read or write.
    let _ = link.stream.ready(interest).await;
}

async fn sleep(delay: Option<Duration>) {
    match delay {
        Some(delay) => tokio::time::sleep(delay).await,
        None => future::pending().await,
    }
}
