//! What an idle connection costs a gateway process: memory, and how fast connections are made.
//!
//! The gateway runs in a process of its own, so that its resident memory is nobody else's: this
//! process holds the API server and the devices. Prints rows as `cargo xtask bench` wants them.
#![expect(dead_code, reason = "the harness serves the tests, of which this needs a part")]

#[path = "../tests/gateway/harness.rs"]
mod harness;
#[path = "../tests/gateway/peer.rs"]
mod peer;

use std::io::BufRead as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use harness::{Authority, gateway_from};
use peer::{DeviceKey, Peer};

/// Devices that are connected at once.
const DEVICES: usize = 1_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    if std::env::args().any(|argument| argument == "gateway") {
        runtime.block_on(serve());
    } else {
        runtime.block_on(measure());
    }
}

/// The gateway's process: told on its standard input, until that ends.
async fn serve() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("told by the parent");
    let (gateway, shutdown) = gateway_from(&serde_json::from_str(&line).expect("JSON")).await;
    println!("{}", gateway.device_address);
    let ended =
        tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new()));
    // The end of the input and a failure to read it mean the same.
    let _ = ended.await;
    shutdown.cancel();
    gateway.stopped().await;
}

struct GatewayProcess {
    child: Child,
    address: std::net::SocketAddr,
    _input: ChildStdin,
}

impl GatewayProcess {
    fn start(told: &Value) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.arg("gateway").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let mut input = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, format!("{told}\n").as_bytes()).expect("read");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        std::io::BufReader::new(output).read_line(&mut line).expect("an address");
        let address = line.trim().parse().expect("an address");
        Self { child, address, _input: input }
    }

    fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux");
        let kilobytes = line.split_whitespace().nth(1).expect("a number");
        kilobytes.parse::<u64>().expect("a number") * 1024
    }

    fn stop(mut self) {
        drop(self._input);
        self.child.wait().expect("it ends by itself");
    }
}

/// Connects every key, says Hello, and enrols where that is asked for.
async fn connect_all(
    address: std::net::SocketAddr,
    authority: &Authority,
    keys: &[DeviceKey],
) -> Vec<Peer> {
    let mut peers = Vec::new();
    // A few at a time: this measures the gateway, not the backlog.
    for keys in keys.chunks(50) {
        let connecting = keys.iter().map(async |key| {
            let connecting = Peer::connect(address, key, &authority.certificate);
            let mut peer = connecting.await.expect("a handshake");
            peer.hello().await;
            let mut answer = peer.next().await;
            if answer == "EnrollRequired" {
                peer.enroll(Some("secret")).await;
                answer = peer.next().await;
            }
            assert!(answer.starts_with("Welcome"), "{answer}");
            let desired = peer.next().await;
            assert!(desired.starts_with("DesiredState"), "{desired}");
            peer
        });
        peers.extend(futures::future::join_all(connecting).await);
    }
    peers
}

async fn measure() {
    let harness = harness::Platform::start().await;
    harness.enrollment("all", "secret", json!({ "maxUses": DEVICES })).await;
    let authority = Authority::new("fleet");
    let keys: Vec<DeviceKey> = (0..DEVICES).map(|_| DeviceKey::generate()).collect();

    let first = GatewayProcess::start(&harness.told(&authority));
    drop(connect_all(first.address, &authority, &keys).await);
    first.stop();

    // A second process, so that nothing of the enrolment is in its memory but the caches.
    let gateway = GatewayProcess::start(&harness.told(&authority));
    let warm_up: Vec<DeviceKey> = Vec::new();
    drop(connect_all(gateway.address, &authority, &warm_up).await);
    harness.ready().await;
    let before = gateway.resident_bytes();
    let started = Instant::now();
    let peers = connect_all(gateway.address, &authority, &keys).await;
    let seconds = started.elapsed().as_secs_f64();
    let after = gateway.resident_bytes();
    let per_connection = after.saturating_sub(before) / DEVICES as u64;
    let rows = json!([
        {
            "name": "gateway/idle-connection", "value": per_connection, "unit": "bytes",
            "goal": 32 * 1024, "versus": null,
        },
        {
            "name": "gateway/connect", "value": (DEVICES as f64 / seconds).round(),
            "unit": "devices/s", "goal": null, "versus": null,
        },
        {
            "name": "gateway/resident-idle", "value": before, "unit": "bytes", "goal": null,
            "versus": null,
        },
    ]);
    println!("{rows:#}");
    drop(peers);
    gateway.stop();
}
