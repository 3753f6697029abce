//! What the gateway puts on the wire, seen by someone between it and the device.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Harness;
use crate::peer::{DeviceKey, Peer};

/// Passes one connection on, and keeps what the gateway sends.
async fn tap(gateway: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let (device, _) = listener.accept().await.expect("a device");
        let gateway = TcpStream::connect(gateway).await.expect("accepted");
        let (mut from_device, mut to_device) = device.into_split();
        let (mut from_gateway, mut to_gateway) = gateway.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_device, &mut to_gateway).await });
        let mut chunk = [0; 4096];
        while let Ok(count) = from_gateway.read(&mut chunk).await {
            if count == 0 || to_device.write_all(&chunk[..count]).await.is_err() {
                return;
            }
            kept.lock().expect("no panic").extend_from_slice(&chunk[..count]);
        }
    });
    (address, seen)
}

/// Type and bytes on the wire of each record.
fn records(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut records = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let body = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*kind, 5 + body));
        bytes = rest.get(body..).unwrap_or_default();
    }
    records
}

#[tokio::test]
async fn no_record_is_longer_than_its_class_and_each_frame_is_one_record() {
    let harness = Harness::start().await;
    let app = harness.application("blink", &[7; 1_000], 100).await;
    let cases = [("wasmbed/1-512", 512), ("wasmbed/1-256", 256), ("wasmbed/1", 16_384)];
    for (alpn, record_bytes_max) in cases {
        let key = DeviceKey::generate();
        drop(harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await);
        let (address, seen) = tap(harness.gateway.device_address).await;
        let config = key.config(&harness.fleet.certificate, &[alpn]);
        let mut peer = Peer::connect_with(address, config).await.expect("a handshake");
        peer.hello().await;
        peer.expect("Welcome 2").await;
        peer.expect("DesiredState 1 1:run").await;
        let before = records(&seen.lock().expect("no panic")).len();
        peer.request(app, 1, Some(0)).await;
        peer.expect("InstallChunk 0+384").await;
        let records = records(&seen.lock().expect("no panic"));
        let longest = records.iter().map(|(_, bytes)| *bytes).max().expect("a handshake");
        assert!(longest <= record_bytes_max, "{alpn}: a record of {longest} bytes");
        if record_bytes_max >= 512 {
            assert_eq!(records.len() - before, 1, "{alpn}: a chunk is one record");
        }
        // ServerHello, change_cipher_spec for middleboxes at most, then nothing in the clear.
        assert_eq!(records[0].0, 22, "{alpn}");
        assert!(
            records[1..].iter().all(|(kind, _)| matches!(kind, 20 | 23)),
            "{alpn}: {records:?}"
        );
    }
    println!("\ncases: {}\n", cases.len());
}
