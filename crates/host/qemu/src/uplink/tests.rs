//! A device at one end of the serial line, a gateway behind the other.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasmbed_link::uplink::{Device, Event, START_ZEROS, console};

use super::*;
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
    _scratch: Scratch,
    gateway: TcpListener,
    uplink: Uplink,
    console: Console,
    socket: PathBuf,
}

async fn lay() -> Bench {
    let scratch = Scratch::new();
    let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = scratch.path().join("uplink.sock");
    let console = Console::open(&scratch.path().join("console.log")).unwrap();
    let config = UplinkConfig {
        socket: socket.clone(),
        gateway: gateway.local_addr().unwrap().to_string(),
        is_plugged: true,
    };
    let uplink = Uplink::start(config, console.clone()).unwrap();
    Bench { _scratch: scratch, gateway, uplink, console, socket }
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
