//! Interoperation with rustls, set up as the gateway sets it up.

use std::io::{Read, Write};
use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::StdRng};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection};
use rustls::{SignatureScheme, client::danger::HandshakeSignatureValid};
use wasmbed_tls::{Closed, Error, State, limits};

use crate::fleet::{Device, Fleet, NOW, PROTOCOLS, count};

/// Takes one raw public key.
#[derive(Debug)]
struct OneDevice {
    key: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for OneDevice {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if end_entity.len() == 44 && end_entity.ends_with(&self.key) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(rustls::CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(cert.as_ref());
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// A gateway's configuration. `record_bytes` is the most it puts in a record, header included in the
/// way rustls counts.
fn server_config(
    fleet: &Fleet,
    device: &[u8; 32],
    record_bytes: usize,
    tickets: usize,
) -> ServerConfig {
    let provider = CryptoProvider::clone(&aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(OneDevice { key: *device, algorithms }))
        .with_single_cert(
            vec![CertificateDer::from(fleet.leaf.clone())],
            PrivatePkcs8KeyDer::from(fleet.leaf_key.serialize_der()).into(),
        )
        .unwrap();
    config.max_fragment_size = Some(record_bytes);
    config.send_tls13_tickets = tickets;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    config
}

/// A gateway's connection.
fn server(
    fleet: &Fleet,
    device: &[u8; 32],
    record_bytes: usize,
    tickets: usize,
) -> ServerConnection {
    let config = server_config(fleet, device, record_bytes, tickets);
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// Moves bytes both ways until nothing moves; `piece` bytes at a time towards the device.
fn pump(device: &mut Device, server: &mut ServerConnection, piece: usize) {
    loop {
        device.settle();
        let up = device.drain();
        let mut rest = &up[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            if server.process_new_packets().is_err() {
                break;
            }
        }
        let mut down = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut down).unwrap();
        }
        device.take(&down, piece);
        if up.is_empty() && down.is_empty() && device.client.outgoing().is_empty() {
            return;
        }
    }
}

/// An open session, and the proof that it carries data both ways.
#[track_caller]
fn check_open(device: &mut Device, server: &mut ServerConnection, piece: usize) {
    pump(device, server, piece);
    assert_eq!(device.client.state(), State::Open);
    assert_eq!(device.client.alpn(), Some(0));
    assert!(device.client.validity().unwrap().check(NOW).is_ok());
    assert_eq!(server.peer_certificates().unwrap()[0].len(), 44);
    echo(device, server, piece, 1000);
}

/// Sends `bytes` bytes each way and compares them.
#[track_caller]
fn echo(device: &mut Device, server: &mut ServerConnection, piece: usize, bytes: usize) {
    let up: Vec<u8> = (0..bytes).map(|i| (i * 7) as u8).collect();
    let (mut sent, mut seen) = (0, Vec::new());
    while seen.len() < up.len() {
        sent += device.client.write(&up[sent..]);
        pump(device, server, piece);
        let mut chunk = [0; 1024];
        if let Ok(count) = server.reader().read(&mut chunk) {
            seen.extend_from_slice(&chunk[..count]);
        }
    }
    assert_eq!(seen, up);
    let mut seen = Vec::new();
    for part in up.chunks(480) {
        server.writer().write_all(part).unwrap();
        let mut down = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut down).unwrap();
        }
        while !down.is_empty() {
            let taken = device.client.receive(&down[..piece.min(down.len())]);
            down.drain(..taken);
            device.settle();
            let data = device.client.plaintext().to_vec();
            device.client.consume(data.len());
            seen.extend_from_slice(&data);
        }
    }
    assert_eq!(seen, up);
}

fn pair(fleet: &Fleet, record_bytes: usize, tickets: usize) -> (Device, ServerConnection) {
    let device = Device::new(&[fleet.pin]);
    let server = server(fleet, device.key.public(), record_bytes, tickets);
    (device, server)
}

#[test]
fn a_session_opens_and_carries_data_with_the_gateways_record_size() {
    let fleet = Fleet::new(|_| {});
    let (mut device, mut server) = pair(&fleet, 495, 0);
    check_open(&mut device, &mut server, 4096);
    assert_eq!(server.alpn_protocol(), Some(PROTOCOLS[0]));
    echo(&mut device, &mut server, 4096, 100_000);
}

#[test]
fn a_frame_written_at_once_is_one_record_and_lies_whole_in_the_buffer() {
    let fleet = Fleet::new(|_| {});
    let (mut device, mut server) = pair(&fleet, 495, 0);
    check_open(&mut device, &mut server, 4096);
    server.writer().write_all(&[7; 482]).unwrap();
    pump(&mut device, &mut server, 4096);
    assert_eq!(device.client.plaintext(), [7; 482]);
}

#[test]
fn a_session_opens_however_the_server_splits_its_messages() {
    let fleet = Fleet::new(|_| {});
    let sizes: Vec<usize> = (32..=495).collect();
    for size in &sizes {
        let (mut device, mut server) = pair(&fleet, *size, 0);
        pump(&mut device, &mut server, 4096);
        assert_eq!(device.client.state(), State::Open, "records of {size}");
    }
    count(sizes.len());
}

#[test]
fn a_session_opens_however_the_wire_splits_its_records() {
    let fleet = Fleet::new(|_| {});
    let pieces = [1, 2, 3, 4, 5, 6, 7, 16, 61, 127, 255, 511, 512, 513];
    for piece in pieces {
        let (mut device, mut server) = pair(&fleet, 495, 0);
        check_open(&mut device, &mut server, piece);
    }
    count(pieces.len());
}

#[test]
fn tickets_are_passed_over() {
    let fleet = Fleet::new(|_| {});
    for record_bytes in [40, 100, 495] {
        let (mut device, mut server) = pair(&fleet, record_bytes, 4);
        check_open(&mut device, &mut server, 4096);
    }
    count(3);
}

#[test]
fn keys_are_updated_from_both_sides() {
    let fleet = Fleet::new(|_| {});
    let (mut device, mut server) = pair(&fleet, 495, 0);
    check_open(&mut device, &mut server, 4096);
    for round in 0..20 {
        if round % 2 == 0 {
            device.client.update_keys();
        } else {
            server.refresh_traffic_keys().unwrap();
        }
        pump(&mut device, &mut server, 4096);
        echo(&mut device, &mut server, 4096, 700);
    }
    count(20);
}

#[test]
fn either_side_closes_in_good_order() {
    let fleet = Fleet::new(|_| {});
    let (mut device, mut server) = pair(&fleet, 495, 0);
    check_open(&mut device, &mut server, 4096);
    device.client.close();
    assert_eq!(device.client.state(), State::Closed(Closed::Local));
    let mut up = &device.drain()[..];
    server.read_tls(&mut up).unwrap();
    assert!(server.process_new_packets().unwrap().peer_has_closed());

    let (mut device, mut server) = pair(&fleet, 495, 0);
    check_open(&mut device, &mut server, 4096);
    server.writer().write_all(b"last words").unwrap();
    server.send_close_notify();
    pump(&mut device, &mut server, 4096);
    assert_eq!(device.client.state(), State::Closed(Closed::Peer));
    assert_eq!(device.client.plaintext(), b"last words");
}

#[test]
fn the_second_pin_is_tried_when_the_first_does_not_fit() {
    let fleet = Fleet::new(|_| {});
    let other = Fleet::new(|_| {});
    let (mut device, mut server) = pair(&fleet, 495, 0);
    device.pins = vec![other.pin, fleet.pin];
    check_open(&mut device, &mut server, 4096);
    let (mut device, mut server) = pair(&fleet, 495, 0);
    device.pins = vec![other.pin, other.pin, fleet.pin];
    pump(&mut device, &mut server, 4096);
    assert_eq!(device.client.state(), State::Closed(Closed::Failed(Error::UnknownAuthority)));
}

#[test]
fn an_unknown_device_is_told_so_by_an_alert() {
    let fleet = Fleet::new(|_| {});
    let mut device = Device::new(&[fleet.pin]);
    let mut server = server(&fleet, &[1; 32], 495, 0);
    pump(&mut device, &mut server, 4096);
    // rustls answers UnknownIssuer with unknown_ca.
    assert_eq!(device.client.state(), State::Closed(Closed::PeerAlert(48)));
}

#[test]
fn the_server_learns_why_it_was_refused() {
    let fleet = Fleet::new(|_| {});
    let (mut device, mut server) = pair(&fleet, 495, 0);
    device.pins = vec![[9; 32]];
    device.settle();
    let mut up = &device.drain()[..];
    server.read_tls(&mut up).unwrap();
    server.process_new_packets().unwrap();
    let mut down = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut down).unwrap();
    }
    device.take(&down, 4096);
    let mut up = &device.drain()[..];
    server.read_tls(&mut up).unwrap();
    assert_eq!(
        server.process_new_packets().unwrap_err(),
        rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA)
    );
}

#[test]
fn a_new_session_starts_in_the_place_of_the_old_one() {
    let fleet = Fleet::new(|_| {});
    let (mut device, mut first) = pair(&fleet, 495, 0);
    check_open(&mut device, &mut first, 4096);
    for round in 0..5 {
        let mut server = server(&fleet, device.key.public(), 495, 0);
        device.client.start(&[round; limits::ENTROPY_BYTES]);
        check_open(&mut device, &mut server, 4096);
    }
    count(6);
}

/// Moves a random number of bytes one way or does a random number of steps.
fn act(rng: &mut StdRng, device: &mut Device, server: &mut ServerConnection, down: &mut Vec<u8>) {
    match rng.random_range(0..5) {
        0 => {
            let count = rng.random_range(0..=device.client.outgoing().len());
            let mut up = &device.client.outgoing()[..count];
            if count > 0 {
                server.read_tls(&mut up).unwrap();
                server.process_new_packets().unwrap();
                device.client.sent(count);
            }
        }
        1 => {
            let count = rng.random_range(0..=down.len().min(700));
            let taken = device.client.receive(&down[..count]);
            down.drain(..taken);
        }
        2 => {
            while server.wants_write() {
                server.write_tls(down).unwrap();
            }
        }
        _ => {
            for _ in 0..rng.random_range(0..4) {
                device.step();
            }
        }
    }
}

#[test]
fn data_is_right_whatever_happens_in_whatever_order() {
    let fleet = Fleet::new(|_| {});
    let rounds = 150;
    for seed in 0..rounds {
        let mut rng = StdRng::seed_from_u64(seed);
        let record_bytes = rng.random_range(32..=495);
        let (mut device, mut server) = pair(&fleet, record_bytes, (seed % 3) as usize);
        let up: Vec<u8> = (0..3000_u32).map(|i| (i * 7) as u8).collect();
        let (mut down, mut written, mut offered) = (Vec::new(), 0, 0);
        let (mut seen_up, mut seen_down) = (Vec::new(), Vec::new());
        for _ in 0..40_000 {
            act(&mut rng, &mut device, &mut server, &mut down);
            match rng.random_range(0..40) {
                0 => device.client.update_keys(),
                1 if !server.is_handshaking() => server.refresh_traffic_keys().unwrap(),
                2..8 => {
                    let end = (written + rng.random_range(0..400)).min(up.len());
                    written += device.client.write(&up[written..end]);
                }
                8..12 if !server.is_handshaking() => {
                    let end = (offered + rng.random_range(0..480)).min(up.len());
                    server.writer().write_all(&up[offered..end]).unwrap();
                    offered = end;
                }
                12..20 => {
                    let data = device.client.plaintext();
                    let count = rng.random_range(0..=data.len());
                    seen_down.extend_from_slice(&data[..count]);
                    device.client.consume(count);
                }
                _ => {
                    let mut chunk = [0; 512];
                    if let Ok(count) = server.reader().read(&mut chunk) {
                        seen_up.extend_from_slice(&chunk[..count]);
                    }
                }
            }
            if seen_up.len() == up.len() && seen_down.len() == up.len() {
                break;
            }
        }
        assert_eq!(seen_up, up, "seed {seed}");
        assert_eq!(seen_down, up, "seed {seed}");
    }
    count(rounds as usize);
}

#[cfg(feature = "keylog")]
#[test]
fn the_key_log_is_the_one_that_the_server_writes() {
    /// Label, random number and secret.
    type Line = (String, Vec<u8>, Vec<u8>);
    #[derive(Debug, Default)]
    struct Lines(std::sync::Mutex<Vec<Line>>);
    impl rustls::KeyLog for Lines {
        fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
            let line = (label.to_owned(), client_random.to_vec(), secret.to_vec());
            self.0.lock().unwrap().push(line);
        }
    }
    let fleet = Fleet::new(|_| {});
    let mut device = Device::new(&[fleet.pin]);
    let lines = Arc::new(Lines::default());
    let mut config = server_config(&fleet, device.key.public(), 495, 0);
    config.key_log = lines.clone();
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    check_open(&mut device, &mut server, 4096);
    let log = device.client.key_log();
    let ours: Vec<_> = log
        .lines()
        .map(|(label, secret)| (label.to_owned(), log.client_random().to_vec(), secret.to_vec()))
        .collect();
    assert_eq!(ours.len(), 4);
    let theirs = lines.0.lock().unwrap();
    assert!(ours.iter().all(|line| theirs.contains(line)), "{ours:?} {theirs:?}");
}
