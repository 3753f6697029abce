//! A station with a TCP stack of its own at the board's end of a cable, and a gateway behind it.

use std::path::Path;
use std::time::{Duration, Instant as HostInstant};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::frames::FrameReader;
use super::*;
use crate::impairment::Partition;
use crate::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(30);

/// A board, as far as its cable can tell.
struct Station {
    stream: UnixStream,
    reader: FrameReader,
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    started: HostInstant,
}

impl Station {
    async fn new(socket: &Path, seed: u64) -> Self {
        let stream = UnixStream::connect(socket).await.unwrap();
        Self::on(stream, seed)
    }

    fn on(stream: UnixStream, seed: u64) -> Self {
        let mut wire = Wire::new(None, true, Impairment::default(), Arc::default());
        let mac = EthernetAddress([2, 0, 0, 0, 0, 2]);
        let mut config = Config::new(HardwareAddress::Ethernet(mac));
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IpAddress::Ipv4(STATION_ADDRESS), PREFIX_BITS)).unwrap();
        });
        let sockets = SocketSet::new(Vec::new());
        let reader = FrameReader::default();
        Self { stream, reader, wire, interface, sockets, started: HostInstant::now() }
    }

    fn connect(&mut self, address: Ipv4Addr, port: u16, local_port: u16) -> SocketHandle {
        let buffer = || SocketBuffer::new(vec![0; 8192]);
        let handle = self.sockets.add(Socket::new(buffer(), buffer()));
        let socket = self.sockets.get_mut::<Socket<'_>>(handle);
        socket.connect(self.interface.context(), (address, port), local_port).unwrap();
        handle
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Lets the stack work until `is_done` says so; false if it does not within `patience`.
    async fn work(
        &mut self,
        patience: Duration,
        mut is_done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let over = HostInstant::now() + patience;
        loop {
            let now = Instant::from_micros(self.started.elapsed().as_micros() as i64);
            self.interface.poll(now, &mut self.wire, &mut self.sockets);
            let is_over = is_done(self);
            // What was said in the end is still to be sent, as the last acknowledgement.
            self.interface.poll(now, &mut self.wire, &mut self.sockets);
            let backlog = std::mem::take(&mut self.wire.backlog);
            if self.stream.write_all(&backlog).await.is_err() || is_over {
                return is_over;
            }
            if HostInstant::now() > over {
                return false;
            }
            let mut bytes = [0; 4096];
            let delay = self.interface.poll_delay(now, &self.sockets);
            let delay = delay.map_or(10_000, |delay| delay.total_micros()).min(10_000);
            tokio::select! {
                count = self.stream.read(&mut bytes) => {
                    let Ok(count @ 1..) = count else { return false };
                    let wire = &mut self.wire;
                    self.reader.push(&bytes[..count], |frame| wire.push(frame)).unwrap();
                }
                () = tokio::time::sleep(Duration::from_micros(delay)) => {}
            }
        }
    }

    async fn connected(&mut self, handle: SocketHandle) -> bool {
        self.work(PATIENCE, |station| station.socket(handle).state() == State::Established).await
    }

    /// Sends `data` and reads as many bytes back.
    async fn echo(&mut self, handle: SocketHandle, data: &[u8]) -> Vec<u8> {
        let (mut sent, mut received) = (0, Vec::new());
        let done = self.work(PATIENCE, |station| {
            let socket = station.socket(handle);
            if socket.can_send() {
                sent += socket.send_slice(&data[sent..]).unwrap();
            }
            while socket.can_recv() {
                socket.recv(|bytes| (bytes.len(), received.extend_from_slice(bytes))).unwrap();
            }
            received.len() >= data.len()
        });
        assert!(done.await, "{} of {} bytes came back", received.len(), data.len());
        received
    }
}

struct Bench {
    scratch: Scratch,
    gateway: TcpListener,
    cable: Cable,
    socket: PathBuf,
}

async fn lay(change: impl FnOnce(&mut CableConfig)) -> Bench {
    let scratch = Scratch::new();
    let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = scratch.path().join("cable.sock");
    let mut config = CableConfig {
        socket: socket.clone(),
        gateway: gateway.local_addr().unwrap().to_string(),
        is_plugged: true,
        impairment: Impairment::default(),
        capture: None,
    };
    change(&mut config);
    let cable = Cable::start(config).unwrap();
    Bench { scratch, gateway, cable, socket }
}

/// Sends back what comes, until the other side has ended.
async fn echo_back(mut stream: TcpStream) {
    let (mut read, mut write) = stream.split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
    let _ = write.shutdown().await;
}

#[tokio::test]
async fn a_session_is_carried_whole_both_ways() {
    let bench = lay(|_| ()).await;
    tokio::spawn(async move { echo_back(bench.gateway.accept().await.unwrap().0).await });
    let mut station = Station::new(&bench.socket, 1).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 40_001);
    let data: Vec<u8> = (0..300_000_u32).map(|index| (index * 7 + index / 250) as u8).collect();
    assert!(station.echo(handle, &data).await == data);
    // The station ends; what the gateway has to say still comes, and then the end.
    station.socket(handle).close();
    let ended = |station: &mut Station| {
        matches!(station.socket(handle).state(), State::TimeWait | State::Closed)
    };
    assert!(station.work(PATIENCE, ended).await);
    assert_eq!(bench.cable.counters().connections, 1);
    assert_eq!(bench.cable.counters().frames_lost, 0);
}

#[tokio::test]
async fn a_board_reaches_its_gateway_and_nothing_else() {
    let bench = lay(|_| ()).await;
    let mut station = Station::new(&bench.socket, 2).await;
    for (index, port) in [1, 22, 80, 6443, RELAY_PORT - 1].into_iter().enumerate() {
        let handle = station.connect(RELAY_ADDRESS, port, 41_000 + index as u16);
        let is_refused = |station: &mut Station| station.socket(handle).state() == State::Closed;
        assert!(station.work(PATIENCE, is_refused).await, "port {port} answered");
    }
    // Both have addresses, and neither is told any.
    station.interface.routes_mut().add_default_ipv4_route(RELAY_ADDRESS).unwrap();
    let others = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(10, 83, 0, 3)];
    for (index, address) in others.into_iter().enumerate() {
        let handle = station.connect(address, RELAY_PORT, 42_000 + index as u16);
        let is_open = |station: &mut Station| station.socket(handle).state() == State::Established;
        assert!(!station.work(Duration::from_millis(100), is_open).await, "{address} answered");
    }
    assert_eq!(bench.cable.counters().connections, 0);
    println!("\ncases: 8\n");
}

#[tokio::test]
async fn the_newest_connection_replaces_the_older_ones() {
    let bench = lay(|_| ()).await;
    let mut stream = UnixStream::connect(&bench.socket).await.unwrap();
    let mut gateway_side = Vec::new();
    for life in 0..6_u16 {
        // The same cable: a board that was reset has forgotten its connection, not its network.
        let mut station = Station::on(stream, life.into());
        let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 43_000 + life);
        assert!(station.connected(handle).await, "life {life}");
        let (accepted, _) = bench.gateway.accept().await.unwrap();
        gateway_side.push(accepted);
        stream = station.stream;
    }
    let newest = gateway_side.pop().unwrap();
    for (life, mut old) in gateway_side.into_iter().enumerate() {
        let read = tokio::time::timeout(PATIENCE, old.read(&mut [0; 8])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "life {life} is still open");
    }
    drop(newest);
    println!("\ncases: 6\n");
}

#[tokio::test]
async fn an_unreachable_gateway_is_a_refused_connection() {
    let bench = lay(|config| config.gateway = "127.0.0.1:1".into()).await;
    let mut station = Station::new(&bench.socket, 3).await;
    for attempt in 0..3 {
        let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 44_000 + attempt);
        let is_refused = |station: &mut Station| station.socket(handle).state() == State::Closed;
        assert!(station.work(PATIENCE, is_refused).await);
    }
    println!("\ncases: 3\n");
}

#[tokio::test]
async fn a_gateway_that_has_moved_is_reached_where_it_is_now() {
    let bench = lay(|_| ()).await;
    let mut station = Station::new(&bench.socket, 6).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 46_000);
    assert!(station.connected(handle).await);
    let _former = bench.gateway.accept().await.unwrap();
    let next = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let same = bench.gateway.local_addr().unwrap().to_string();
    bench.cable.set_gateway(&same);
    bench.cable.set_gateway(&next.local_addr().unwrap().to_string());
    let ended = |station: &mut Station| station.socket(handle).state() == State::Closed;
    assert!(station.work(PATIENCE, ended).await, "the session with the former gateway ends");
    tokio::spawn(async move { echo_back(next.accept().await.unwrap().0).await });
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 46_001);
    assert!(station.echo(handle, b"moved").await == b"moved");
    println!("\ncases: 2\n");
}

#[tokio::test]
async fn a_gateway_that_ends_the_connection_ends_it_for_the_board() {
    let bench = lay(|_| ()).await;
    let mut station = Station::new(&bench.socket, 4).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 45_000);
    assert!(station.connected(handle).await);
    let (mut accepted, _) = bench.gateway.accept().await.unwrap();
    accepted.write_all(b"bye").await.unwrap();
    drop(accepted);
    let mut received = Vec::new();
    let ended = station.work(PATIENCE, |station| {
        let socket = station.socket(handle);
        while socket.can_recv() {
            socket.recv(|bytes| (bytes.len(), received.extend_from_slice(bytes))).unwrap();
        }
        !socket.may_recv()
    });
    assert!(ended.await);
    assert_eq!(received, b"bye");
}

#[tokio::test]
async fn a_cable_that_is_out_carries_nothing_and_the_session_outlives_it() {
    let bench = lay(|_| ()).await;
    tokio::spawn(async move { echo_back(bench.gateway.accept().await.unwrap().0).await });
    let mut station = Station::new(&bench.socket, 5).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 46_000);
    assert_eq!(station.echo(handle, b"in").await, b"in");
    bench.cable.set_plugged(false);
    // The change is taken in before the next frame, or the frame passes: send until one is lost.
    let lost = station.work(PATIENCE, |station| {
        let socket = station.socket(handle);
        while socket.can_recv() {
            socket.recv(|bytes| (bytes.len(), ())).unwrap();
        }
        let lost = bench.cable.counters().frames_lost;
        if lost == 0 && socket.send_queue() == 0 {
            socket.send_slice(b"x").unwrap();
        }
        lost > 0
    });
    assert!(lost.await);
    bench.cable.set_plugged(true);
    let drained = station.work(PATIENCE, |station| station.socket(handle).send_queue() == 0);
    assert!(drained.await, "what was lost is sent again");
}

#[tokio::test]
async fn a_session_is_carried_whole_over_a_bad_cable() {
    let bad = |change: fn(&mut Impairment)| {
        let mut impairment = Impairment { seed: 1, ..Impairment::default() };
        change(&mut impairment);
        impairment
    };
    let lines = [
        bad(|line| line.loss_ppm = 50_000),
        bad(|line| line.duplicate_ppm = 200_000),
        // A bit in a thousand frames that no checksum of TCP misses.
        bad(|line| line.corrupt_ppm = 50_000),
        bad(|line| (line.delay, line.jitter) = (PATIENCE / 600, PATIENCE / 1500)),
    ];
    let data: Vec<u8> = (0..20_000_u32).map(|index| (index * 7 + index / 250) as u8).collect();
    for (index, impairment) in lines.into_iter().enumerate() {
        let bench = lay(|config| config.impairment = impairment).await;
        tokio::spawn(async move { echo_back(bench.gateway.accept().await.unwrap().0).await });
        let mut station = Station::new(&bench.socket, 8).await;
        let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 49_000);
        assert!(station.echo(handle, &data).await == data, "{impairment:?}");
        let counters = bench.cable.counters();
        let harmed = [counters.frames_lost, counters.frames_doubled, counters.frames_garbled];
        for (other, count) in harmed.into_iter().enumerate() {
            assert_eq!(count > 0, other == index, "{impairment:?}: {counters:?}");
        }
    }
    println!("\ncases: 4\n");
}

#[tokio::test]
async fn a_cable_gets_worse_and_better_under_a_session() {
    let bench = lay(|_| ()).await;
    tokio::spawn(async move { echo_back(bench.gateway.accept().await.unwrap().0).await });
    let mut station = Station::new(&bench.socket, 9).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 49_001);
    assert_eq!(station.echo(handle, b"before").await, b"before");
    for partition in [Partition::Up, Partition::Down, Partition::Both] {
        bench.cable.set_impairment(Impairment { partition, ..Impairment::default() });
        let before = bench.cable.counters().frames_lost;
        station.socket(handle).send_slice(b"meanwhile").unwrap();
        let lost = station.work(PATIENCE, |_| bench.cable.counters().frames_lost > before);
        assert!(lost.await, "{partition:?}");
        bench.cable.set_impairment(Impairment::default());
        let mut received = 0;
        let back = station.work(PATIENCE, |station| {
            let socket = station.socket(handle);
            while socket.can_recv() {
                received += socket.recv(|bytes| (bytes.len(), bytes.len())).unwrap();
            }
            received == 9
        });
        assert!(back.await, "{partition:?}");
    }
    println!("\ncases: 3\n");
}

#[tokio::test]
async fn what_is_no_frame_cuts_qemu_off_and_the_next_is_served() {
    let bench = lay(|_| ()).await;
    let bad: [&[u8]; 4] = [&[0; 4], &[0, 0, 0, 13], &[0, 0, 5, 0xEF], &[0xFF; 8]];
    for (index, bytes) in bad.into_iter().enumerate() {
        let mut stream = UnixStream::connect(&bench.socket).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 8])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)));
        assert_eq!(bench.cable.counters().protocol_errors, index as u64 + 1);
    }
    let mut station = Station::new(&bench.socket, 6).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 47_000);
    assert!(station.connected(handle).await);
    println!("\ncases: 5\n");
}

#[tokio::test]
async fn frames_torn_at_any_byte_are_put_together() {
    let frames = [vec![1; 14], vec![2; 60], vec![3; 1518]];
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frames::write_frame(&mut bytes, frame));
    for cut in 0..=bytes.len() {
        let (mut reader, mut read) = (FrameReader::default(), Vec::new());
        for part in [&bytes[..cut], &bytes[cut..]] {
            reader.push(part, |frame| read.push(frame.to_vec())).unwrap();
        }
        assert!(read == frames);
    }
    println!("\ncases: {}\n", bytes.len() + 1);
}

#[tokio::test]
async fn a_capture_holds_every_frame() {
    let bench = lay(|config| {
        config.capture = Some(config.socket.with_file_name("wire.pcap"));
    })
    .await;
    let gateway = bench.gateway;
    tokio::spawn(async move { echo_back(gateway.accept().await.unwrap().0).await });
    let mut station = Station::new(&bench.socket, 7).await;
    let handle = station.connect(RELAY_ADDRESS, RELAY_PORT, 48_000);
    let data = vec![0xA5; 5000];
    assert!(station.echo(handle, &data).await == data);
    let counters = bench.cable.counters();
    bench.cable.stop().await;
    let file = std::fs::read(bench.scratch.path().join("wire.pcap")).unwrap();
    let (head, mut rest) = file.split_at(24);
    assert_eq!(head[..8], [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0]);
    assert_eq!(head[16..], [0xEE, 5, 0, 0, 1, 0, 0, 0]);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], rest[12..16]);
        frames.push(&rest[16..16 + length]);
        rest = &rest[16 + length..];
    }
    assert!(frames.len() as u64 >= counters.frames_up + counters.frames_down);
    // ARP first, and the data somewhere.
    assert_eq!(frames[0][12..14], [8, 6]);
    assert!(frames.iter().any(|frame| frame.ends_with(&[0xA5; 500])));
}
