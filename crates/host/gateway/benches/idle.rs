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
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wasmbed_gateway::{Running, ServerIdentity};

use harness::{Authority, MemoryStore, Platform, bare_config};
use peer::{DeviceKey, Peer};

/// Devices that are connected at once.
const DEVICES: usize = 500;

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

/// What a gateway in another process has to know.
fn tell(platform: &Platform, authority: &Authority) -> Value {
    let api = platform.api.as_ref().expect("running");
    let leaf = authority.leaf();
    json!({
        "kubeconfig": api.kubeconfig("gateway").expect("a token of the harness"),
        "certificate": BASE64.encode(&leaf.certificates[0]),
        "key": BASE64.encode(leaf.key.secret_der()),
    })
}

/// A gateway as [`tell`] describes it.
async fn gateway_from(told: &Value) -> (Running, CancellationToken) {
    let bytes = |field: &str| BASE64.decode(told[field].as_str().expect("a text")).expect("Base64");
    let kubeconfig = told["kubeconfig"].as_str().expect("a text");
    let kubeconfig = kube::config::Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("usable");
    let client = Client::try_from(config).expect("a client");
    let identity = ServerIdentity::from_pkcs8(vec![bytes("certificate")], bytes("key"));
    let (sender, receiver) = watch::channel(Arc::new(identity));
    // The task keeps the identity for as long as the process lives.
    tokio::spawn(async move { sender.closed().await });
    let mut config = bare_config(receiver);
    config.limits.handshakes_per_address_per_second = 10_000;
    config.limits.handshake_burst = 10_000;
    let shutdown = CancellationToken::new();
    let images = Arc::new(MemoryStore::default());
    let running = wasmbed_gateway::start(config, client, images, shutdown.clone()).await;
    (running.expect("a gateway"), shutdown)
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

/// Connects every key and says Hello.
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
            let answer = peer.next().await;
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
    let harness = Platform::start().await;
    let authority = Authority::new("fleet");
    let keys: Vec<DeviceKey> = (0..DEVICES).map(|_| DeviceKey::generate()).collect();
    for keys in keys.chunks(50) {
        let creating = keys.iter().map(|key| harness.device(key));
        futures::future::join_all(creating).await;
    }
    let stranger = DeviceKey::generate();
    let gateway = GatewayProcess::start(&tell(&harness, &authority));
    // One stranger is answered once the caches are synced.
    let connecting = Peer::connect(gateway.address, &stranger, &authority.certificate);
    let mut peer = connecting.await.expect("a handshake");
    peer.hello().await;
    peer.expect("EnrollRequired").await;
    drop(peer);
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
