//! Peers that break the rules: each is turned away, and the others are served on.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasmbed_crds::Device;
use wasmbed_gateway::Limits;
use wasmbed_wire::{AppId, GatewayMessage, GuestState, RefusedReason};

use crate::harness::Harness;
use crate::peer::{DeviceKey, PATIENCE, Peer};

async fn connect_with(harness: &Harness, alpn: &[&str]) -> std::io::Result<Peer> {
    let config = DeviceKey::generate().config(&harness.fleet.certificate, alpn);
    Peer::connect_with(harness.gateway.device_address, config).await
}

#[tokio::test]
async fn an_unknown_major_is_answered_with_what_is_spoken_here() {
    let harness = Harness::start().await;
    let cases: [&[&str]; 4] =
        [&["wasmbed/2-512"], &["wasmbed/2"], &["wasmbed/999999999-128"], &["h2", "wasmbed/7"]];
    for alpn in cases {
        let mut peer = connect_with(&harness, alpn).await.expect("a whole handshake");
        let body = peer.receive().await.expect("an answer");
        let Ok(GatewayMessage::Refused(refused)) = GatewayMessage::decode(&body) else {
            panic!("not a Refused to {alpn:?}");
        };
        assert_eq!(refused.reason, RefusedReason::VersionUnsupported);
        assert_eq!((refused.major_min, refused.major_max), (1, 1));
        peer.expect("closed").await;
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn every_record_class_of_a_known_major_gets_a_session() {
    let harness = Harness::start().await;
    let cases: [&[&str]; 5] = [
        &["wasmbed/1"],
        &["wasmbed/1-512"],
        &["wasmbed/1-128"],
        &["wasmbed/1-16384"],
        &["wasmbed/9", "wasmbed/1-512"],
    ];
    for alpn in cases {
        let mut peer = connect_with(&harness, alpn).await.expect("a handshake");
        peer.hello().await;
        peer.expect("EnrollRequired").await;
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn who_offers_no_protocol_of_ours_is_closed() {
    let harness = Harness::start().await;
    let cases: [&[&str]; 4] = [&[], &["h2"], &["wasmbed/"], &["wasmbed/1-99"]];
    for alpn in cases {
        assert!(connect_with(&harness, alpn).await.is_err(), "{alpn:?} was let in");
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn who_shows_no_raw_key_gets_no_session() {
    let harness = Harness::start().await;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(harness.fleet.certificate.clone()).expect("a CA");
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"wasmbed/1-512".to_vec()];
    let connected = Peer::connect_with(harness.gateway.device_address, config).await;
    if let Ok(mut peer) = connected {
        peer.expect("closed").await;
    }
}

#[tokio::test]
async fn frames_that_are_no_messages_end_the_connection() {
    let harness = Harness::start().await;
    let cases: [(&str, &[u8]); 8] = [
        ("an empty frame", &[0, 0]),
        ("a frame that is too long", &[0x01, 0xe1]),
        ("the longest length", &[0xff, 0xff]),
        ("not CBOR", &[0, 1, 0xff]),
        ("not a pair", &[0, 1, 0x80]),
        ("an unknown tag before Hello", &[0, 4, 0x82, 0x18, 0x7f, 0xa0]),
        ("a gateway's message", &[0, 4, 0x82, 0x18, 0x83, 0xa0]),
        ("a Hello without fields", &[0, 3, 0x82, 0x01, 0xa0]),
    ];
    for (what, bytes) in cases {
        let mut peer = harness.connect(&DeviceKey::generate()).await;
        peer.send_raw(bytes).await;
        let answer = peer.next().await;
        assert!(
            matches!(answer.as_str(), "Refused Malformed" | "Refused UnexpectedMessage"),
            "{what}: {answer}"
        );
        peer.expect("closed").await;
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn a_hello_that_comes_byte_by_byte_is_served() {
    let harness = Harness::start().await;
    let mut peer = harness.connect(&DeviceKey::generate()).await;
    let hello = wasmbed_wire::DeviceMessage::Hello(crate::peer::HELLO);
    let mut frame = [0; 482];
    let bytes = hello.encode(&mut frame[2..]).expect("fits").len();
    let frame = wasmbed_wire::encode_frame(&mut frame, bytes).expect("fits").to_vec();
    for byte in frame {
        peer.send_raw(&[byte]).await;
    }
    peer.expect("EnrollRequired").await;
}

fn hasty() -> Limits {
    Limits {
        handshake_timeout: Duration::from_millis(300),
        hello_timeout: Duration::from_millis(300),
        handshakes_per_address_max: 4,
        ..Limits::default()
    }
}

/// Reads until the other side has closed.
async fn drain(stream: &mut TcpStream) {
    let mut sink = [0; 256];
    let reading = async { while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {} };
    timeout(PATIENCE, reading).await.expect("closed by the gateway");
}

#[tokio::test]
async fn slow_and_silent_peers_are_closed() {
    let harness = Harness::start_with(hasty()).await;
    let address = harness.gateway.device_address;
    let beginnings: [&[u8]; 4] =
        [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"];
    for beginning in beginnings {
        let mut stream = TcpStream::connect(address).await.expect("accepted");
        stream.write_all(beginning).await.expect("written");
        drain(&mut stream).await;
    }
    let mut silent = harness.connect(&DeviceKey::generate()).await;
    silent.expect("closed").await;
    let mut stranger = harness.greet(&DeviceKey::generate()).await;
    stranger.expect("EnrollRequired").await;
    stranger.expect("closed").await;
    println!("\ncases: {}\n", beginnings.len() + 2);
}

#[tokio::test]
async fn one_address_holds_only_its_part_of_the_handshakes() {
    let limits = Limits { handshake_timeout: PATIENCE, hello_timeout: PATIENCE, ..hasty() };
    let harness = Harness::start_with(limits).await;
    let address = harness.gateway.device_address;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(TcpStream::connect(address).await.expect("accepted"));
    }
    let mut fifth = TcpStream::connect(address).await.expect("accepted, then closed");
    drain(&mut fifth).await;
    held.pop();
    // The place is free again once the gateway has seen the close.
    let peer = loop {
        let config = DeviceKey::generate().config(&harness.fleet.certificate, &["wasmbed/1-512"]);
        if let Ok(peer) = Peer::connect_with(address, config).await {
            break peer;
        }
    };
    drop(peer);
}

#[tokio::test]
async fn one_address_begins_no_more_handshakes_than_its_rate() {
    let limits =
        Limits { handshake_burst: 3, handshakes_per_address_per_second: 0, ..Limits::default() };
    let harness = Harness::start_with(limits).await;
    let connect = || connect_with(&harness, &["wasmbed/1-512"]);
    for _ in 0..3 {
        connect().await.expect("within the burst");
    }
    for _ in 0..3 {
        assert!(connect().await.is_err(), "beyond the burst");
    }
    println!("\ncases: 6\n");
}

#[tokio::test]
async fn a_device_that_reads_nothing_is_given_up() {
    let limits = Limits { write_timeout: Duration::from_millis(300), ..Limits::default() };
    let harness = Harness::start_with(limits).await;
    let key = DeviceKey::generate();
    let image = vec![7; 60_000];
    let app = harness.application("blink", &image, 100).await;
    let mut peer = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    let asking = async {
        // Far more answers than all buffers between the two hold.
        for offset in 0..60_000 {
            peer.request(app, 1, Some(offset)).await;
        }
    };
    let name = key.device_name();
    let ended = harness.until_connected(&name, "False SessionClosed");
    let (device, ()) = tokio::join!(ended, asking);
    let conditions = device.status.expect("written").conditions;
    let connected = wasmbed_crds::condition::find(&conditions, "Connected").expect("written");
    assert!(connected.message.contains("unread"), "{}", connected.message);
}

#[tokio::test]
async fn guests_that_a_device_makes_up_are_not_all_kept() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    for id in 0..200 {
        peer.report(AppId([id; 16]), 1, GuestState::Running).await;
    }
    let full = wasmbed_crds::limits::DEVICE_APPLICATIONS_MAX;
    harness
        .until(&key.device_name(), |device: &Device| {
            device.status.as_ref().is_some_and(|status| status.applications.len() == full)
        })
        .await;
}

#[tokio::test]
async fn garbage_from_many_leaves_others_served() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut standing = harness.enrolled(&key).await;
    // A generator of its own, so that a failure repeats.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let count = 100;
    for round in 0..count {
        let garbage: Vec<u8> = (0..next() % 700).map(|_| (next() >> 32) as u8).collect();
        if round % 2 == 0 {
            let address = harness.gateway.device_address;
            let mut stream = TcpStream::connect(address).await.expect("accepted");
            let _ = stream.write_all(&garbage).await;
        } else {
            harness.connect(&DeviceKey::generate()).await.send_raw(&garbage).await;
        }
    }
    harness.application("blink", b"image", 100).await;
    standing.expect("DesiredState 2 1:run").await;
    println!("\ncases: {count}\n");
}
