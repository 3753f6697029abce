//! A device at one end of the serial line, a gateway behind the other.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use wasmbed_link::uplink::{CloseReason, Device, Event, START_ZEROS, console};

use super::*;
use crate::pty::Pty;
use crate::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(30);

/// A board, as far as its serial line can tell.
struct Station {
    stream: UnixStream,
    device: Device<64>,
    nonce: u64,
    received: Vec<u8>,
}

impl Station {
    fn on(stream: UnixStream, nonce: u64) -> Self {
        Self { stream, device: Device::new(224), nonce, received: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn start(&mut self) {
        self.nonce += 1;
        let frame = self.device.start(self.nonce.to_be_bytes());
        self.send(&[0; START_ZEROS]).await;
        self.send(frame.bytes()).await;
    }

    /// Takes a byte; answers whether the session opened, or why it ended.
    async fn step(&mut self) -> Option<Result<(), Option<CloseReason>>> {
        let byte = tokio::time::timeout(PATIENCE, self.stream.read_u8()).await;
        let ended = match self.device.receive(byte.expect("the line is silent").unwrap()) {
            None => None,
            Some(Event::Open) => Some(Ok(())),
            Some(Event::Session(bytes)) => {
                self.received.extend_from_slice(bytes);
                None
            }
            Some(Event::Closed(reason)) => Some(Err(Some(reason))),
            Some(Event::Lost) => Some(Err(None)),
        };
        if let Some(frame) = self.device.credit() {
            self.send(frame.bytes()).await;
        }
        ended
    }

    async fn event(&mut self) -> Result<(), Option<CloseReason>> {
        loop {
            if let Some(event) = self.step().await {
                return event;
            }
        }
    }

    /// Sends `data` and waits until as much came back.
    async fn echo(&mut self, data: &[u8]) {
        let mut sent = 0;
        self.received.clear();
        while self.received.len() < data.len() {
            // No more under way than comes back, or both sides would wait for each other.
            while sent < self.received.len() + 1000
                && let Some(frame) = self.device.session(&data[sent..])
            {
                let bytes: Vec<u8> = frame.bytes().collect();
                sent += frame.payload().len();
                self.stream.write_all(&bytes).await.unwrap();
            }
            assert_eq!(self.step().await, None);
        }
        assert!(self.received == data);
    }
}

struct Bench {
    scratch: Scratch,
    gateway: TcpListener,
    uplink: Uplink,
    console: Console,
    socket: PathBuf,
}

async fn lay() -> Bench {
    lay_with(|_| ()).await
}

async fn lay_with(change: impl FnOnce(&mut UplinkConfig)) -> Bench {
    let scratch = Scratch::new();
    let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = scratch.path().join("uplink.sock");
    let console = Console::open(&scratch.path().join("console.log")).unwrap();
    let mut config = UplinkConfig {
        end: LineEnd::Socket(socket.clone()),
        gateway: gateway.local_addr().unwrap().to_string(),
        is_plugged: true,
        impairment: Impairment::default(),
        capture: None,
    };
    change(&mut config);
    let uplink = Uplink::start(config, console.clone()).unwrap();
    Bench { scratch, gateway, uplink, console, socket }
}

#[tokio::test]
async fn sessions_follow_each_other_on_one_line_whatever_was_under_way() {
    let bench = lay().await;
    let gateway = bench.gateway;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = gateway.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    let mut stream = UnixStream::connect(&bench.socket).await.unwrap();
    let data: Vec<u8> = (0..20_000_u32).map(|index| (index * 7 + index / 250) as u8).collect();
    for life in 0..4 {
        let mut station = Station::on(stream, life * 1000);
        station.start().await;
        assert_eq!(station.event().await, Ok(()), "life {life}");
        station.echo(&data).await;
        // It is reset with an answer, and half a frame of its own, under way.
        let frame: Vec<u8> = station.device.session(&data).unwrap().bytes().collect();
        station.send(&frame).await;
        let frame: Vec<u8> = station.device.session(&data).unwrap().bytes().collect();
        station.send(&frame[..frame.len() / 2]).await;
        stream = station.stream;
    }
    println!("\ncases: 4\n");
}

#[tokio::test]
async fn a_gateway_that_ends_or_is_not_there_is_told() {
    let bench = lay().await;
    let stream = UnixStream::connect(&bench.socket).await.unwrap();
    let mut station = Station::on(stream, 1);
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    let (mut accepted, _) = bench.gateway.accept().await.unwrap();
    accepted.write_all(b"bye").await.unwrap();
    drop(accepted);
    assert_eq!(station.event().await, Err(Some(CloseReason::ByPeer)));
    assert_eq!(station.received, b"bye");
    drop(bench.gateway);
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    assert_eq!(station.event().await, Err(Some(CloseReason::Unreachable)));
    println!("\ncases: 2\n");
}

#[tokio::test]
async fn a_gateway_that_has_moved_is_reached_where_it_is_now() {
    let bench = lay().await;
    let stream = UnixStream::connect(&bench.socket).await.unwrap();
    let mut station = Station::on(stream, 1);
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    let _former = bench.gateway.accept().await.unwrap();
    let next = TcpListener::bind("127.0.0.1:0").await.unwrap();
    bench.uplink.set_gateway(&bench.gateway.local_addr().unwrap().to_string());
    bench.uplink.set_gateway(&next.local_addr().unwrap().to_string());
    assert_eq!(station.event().await, Err(Some(CloseReason::ByPeer)));
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    next.accept().await.unwrap();
    println!("\ncases: 2\n");
}

#[tokio::test]
async fn the_console_is_logged_before_and_beside_a_session() {
    let bench = lay().await;
    let mut lines = bench.console.follow();
    let stream = UnixStream::connect(&bench.socket).await.unwrap();
    let mut station = Station::on(stream, 1);
    let say = |text: &str| console(text.as_bytes()).bytes().collect::<Vec<u8>>();
    station.send(&[0; START_ZEROS]).await;
    station.send(&say("before\n")).await;
    assert_eq!(&*lines.recv().await.unwrap(), "before");
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    station.send(&say("beside\n")).await;
    assert_eq!(&*lines.recv().await.unwrap(), "beside");
}

#[tokio::test]
async fn a_line_that_was_out_loses_its_session_and_says_so() {
    let bench = lay().await;
    let stream = UnixStream::connect(&bench.socket).await.unwrap();
    let mut station = Station::on(stream, 1);
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    bench.uplink.set_plugged(true);
    let (mut accepted, _) = bench.gateway.accept().await.unwrap();
    accepted.write_all(b"on").await.unwrap();
    while station.received != b"on" {
        assert_eq!(station.step().await, None, "nothing has changed");
    }
    bench.uplink.set_plugged(false);
    let read = tokio::time::timeout(PATIENCE, accepted.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "the gateway sees the end");
    bench.uplink.set_plugged(true);
    assert_eq!(station.event().await, Err(None));
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
}

/// Ways and bytes of the records of a serial capture.
fn records(file: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (head, mut rest) = file.split_at(24);
    assert_eq!(head[..8], [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0]);
    assert_eq!(head[20..], [147, 0, 0, 0]);
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], rest[12..16]);
        records.push((rest[16], rest[17..16 + length].to_vec()));
        rest = &rest[16 + length..];
    }
    records
}

#[tokio::test]
async fn a_capture_holds_every_byte_of_both_ways() {
    let bench = lay_with(|config| {
        let LineEnd::Socket(socket) = &config.end else { unreachable!() };
        config.capture = Some(socket.with_file_name("wire.pcap"));
    })
    .await;
    let stream = UnixStream::connect(&bench.socket).await.unwrap();
    let mut station = Station::on(stream, 1);
    station.start().await;
    assert_eq!(station.event().await, Ok(()));
    let (mut accepted, _) = bench.gateway.accept().await.unwrap();
    accepted.write_all(b"from the gateway").await.unwrap();
    while station.received != b"from the gateway" {
        assert_eq!(station.step().await, None);
    }
    let frame: Vec<u8> = station.device.session(b"from the device").unwrap().bytes().collect();
    station.send(&frame).await;
    let mut received = [0; 15];
    accepted.read_exact(&mut received).await.unwrap();
    let counters = bench.uplink.counters();
    bench.uplink.stop().await;
    let records = records(&std::fs::read(bench.scratch.path().join("wire.pcap")).unwrap());
    for (way, count, text) in [
        (0, counters.bytes_up, &b"from the device"[..]),
        (1, counters.bytes_down, b"from the gateway"),
    ] {
        let of_way = records.iter().filter(|(recorded, _)| *recorded == way);
        let bytes: Vec<u8> = of_way.flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(bytes.len() as u64, count);
        assert!(bytes.windows(text.len()).any(|part| part == text));
    }
    println!("\ncases: 2\n");
}

#[tokio::test]
async fn a_bad_line_ends_sessions_and_never_carries_a_wrong_byte() {
    let harms: [fn(&mut Impairment); 3] = [
        |line| line.loss_ppm = 1000,
        |line| line.duplicate_ppm = 1000,
        |line| line.corrupt_ppm = 1000,
    ];
    let data: Vec<u8> = (0..20_000_u32).map(|index| (index * 7 + index / 250) as u8).collect();
    for harm in harms {
        let mut impairment = Impairment { seed: 1, ..Impairment::default() };
        harm(&mut impairment);
        let bench = lay_with(|config| config.impairment = impairment).await;
        let stream = UnixStream::connect(&bench.socket).await.unwrap();
        let mut station = Station::on(stream, 1);
        let whole = data.clone();
        let gateway = tokio::spawn(async move {
            loop {
                let (mut accepted, _) = bench.gateway.accept().await.unwrap();
                let mut received = Vec::new();
                let _ = accepted.read_to_end(&mut received).await;
                assert!(whole.starts_with(&received), "a wrong byte reached the gateway");
            }
        });
        // Every byte goes again in each session, until a few sessions have met their end.
        while bench.uplink.counters().sessions_lost < 3 {
            station.start().await;
            let mut sent = 0;
            let silence = Duration::from_millis(50);
            while let Ok(event) = tokio::time::timeout(silence, station.step()).await {
                match event {
                    Some(Ok(())) | None => {}
                    Some(Err(_)) => break,
                }
                while let Some(frame) = station.device.session(&data[sent..]) {
                    let bytes: Vec<u8> = frame.bytes().collect();
                    sent += frame.payload().len();
                    station.stream.write_all(&bytes).await.unwrap();
                }
            }
        }
        bench.uplink.set_impairment(Impairment::default());
        station.start().await;
        while station.event().await != Ok(()) {
            station.start().await;
        }
        assert!(!gateway.is_finished());
    }
    println!("\ncases: 3\n");
}

#[tokio::test]
async fn a_board_on_a_serial_device_has_sessions_over_every_unplugging() {
    let scratch = Scratch::new();
    let device = scratch.path().join("tty");
    let path = device.clone();
    let bench = lay_with(|config| config.end = LineEnd::Device { path, baud: 115_200 }).await;
    let gateway = bench.gateway;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = gateway.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    let data: Vec<u8> = (0..5_000_u32).map(|index| (index * 7 + index / 250) as u8).collect();
    for life in 0..3 {
        let (pty, board) = Pty::plug(&device);
        bench.uplink.connected(life + 1).await;
        // The same board: it is reset, and then it is not.
        let mut station = Station::on(board, life * 1000);
        for _ in 0..2 {
            station.start().await;
            // What the bridge says to begin with may come first.
            while station.event().await != Ok(()) {
                station.start().await;
            }
            station.echo(&data).await;
        }
        let half: Vec<u8> = station.device.session(&data).unwrap().bytes().collect();
        station.send(&half[..half.len() / 2]).await;
        drop((pty, station));
    }
    println!("\ncases: 6\n");
}
