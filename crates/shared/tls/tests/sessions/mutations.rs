//! A right flight made wrong: every bit, and at random.

use ed25519_oracle::SigningKey;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use wasmbed_tls::{State, fuzzing};

use crate::fleet::{Device, NAME, PROTOCOLS, count};
use crate::hostile::begin;
use crate::leaf::LeafSpec;
use crate::server::{AUTHORITY, DATA};

/// The honest server's bytes up to Finished, which never change: all its numbers are fixed.
fn honest_wire() -> Vec<u8> {
    let (_, mut play) = begin();
    play.honest();
    play.take_wire()
}

fn offer(wire: &[u8]) -> Device {
    let (mut device, _) = begin();
    device.take(wire, 4096);
    device
}

#[test]
fn every_flipped_bit_of_the_servers_flight_keeps_the_session_shut() {
    let mut wire = honest_wire();
    assert_eq!(offer(&wire).client.state(), State::Open);
    let mut starved = 0;
    for bit in 0..wire.len() * 8 {
        wire[bit / 8] ^= 1 << (bit % 8);
        match offer(&wire).client.state() {
            State::Closed(_) => {}
            // A length that grew: the record never ends.
            State::Handshaking => starved += 1,
            state => panic!("bit {bit}: {state:?}"),
        }
        wire[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(starved < 40, "{starved}");
    count(wire.len() * 8);
}

#[test]
fn every_flipped_bit_of_data_closes_the_session() {
    let (_, mut play) = begin();
    play.honest();
    let flight = play.take_wire();
    play.record(DATA, b"data");
    play.record(DATA, &[0; 400]);
    let mut data = play.take_wire();
    for bit in 0..26 * 8 {
        let mut device = offer(&flight);
        data[bit / 8] ^= 1 << (bit % 8);
        device.take(&data, 4096);
        assert!(matches!(device.client.state(), State::Closed(_)), "bit {bit}");
        assert_eq!(device.client.plaintext(), b"");
        data[bit / 8] ^= 1 << (bit % 8);
    }
    count(26 * 8);
}

#[test]
fn a_flight_that_ends_early_never_opens_the_session() {
    let wire = honest_wire();
    for bytes in 0..wire.len() {
        assert_eq!(offer(&wire[..bytes]).client.state(), State::Handshaking, "{bytes}");
    }
    count(wire.len());
}

/// Changes `bytes` in one to four places: bits, bytes, parts cut out, doubled or put in.
fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..24)).min(bytes.len());
        match rng.random_range(0..5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = rng.random(),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let mut part = vec![0; end - at];
                rng.fill_bytes(&mut part);
                bytes.splice(at..at, part);
            }
        }
    }
}

#[test]
fn a_flight_changed_at_random_never_opens_the_session() {
    let wire = honest_wire();
    let mut rng = StdRng::seed_from_u64(0x7135);
    let rounds = 5_000;
    for round in 0..rounds {
        let mut mutant = wire.clone();
        mutate(&mut rng, &mut mutant);
        let opens = offer(&mutant).client.state() == State::Open;
        // What was put behind Finished is no part of the flight.
        assert!(!opens || mutant.starts_with(&wire), "seed 0x7135, round {round}");
    }
    count(rounds);
}

#[test]
fn a_leaf_changed_at_random_is_parsed_or_refused_and_never_believed() {
    let leaf = LeafSpec::honest().signed_by(&AUTHORITY);
    let authority = SigningKey::from_bytes(&AUTHORITY).verifying_key();
    assert!(fuzzing::believe_leaf(&leaf, NAME, authority.as_bytes()));
    let mut rng = StdRng::seed_from_u64(0x509);
    let rounds = 200_000;
    let mut parsed = 0;
    for round in 0..rounds {
        let mut mutant = leaf.clone();
        mutate(&mut rng, &mut mutant);
        if mutant != leaf && fuzzing::parse_leaf(&mutant, NAME) {
            parsed += 1;
            let believed = fuzzing::believe_leaf(&mutant, NAME, authority.as_bytes());
            assert!(!believed, "seed 0x509, round {round}");
        }
    }
    assert!(parsed > 100, "{parsed}");
    count(rounds);
}

#[test]
fn any_bytes_are_a_message_or_refused() {
    let mut rng = StdRng::seed_from_u64(8446);
    let (_, mut play) = begin();
    play.honest_cut(|whole| vec![whole.to_vec()]);
    let hello = play.honest_hello().message();
    let mut bodies = vec![hello[4..].to_vec()];
    let mut rest = &play.transcript[play.client_hello.len() + hello.len()..];
    while let [_, high, middle, low, tail @ ..] = rest {
        let bytes = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        let (body, tail) = tail.split_at(bytes);
        bodies.push(body.to_vec());
        rest = tail;
    }
    assert_eq!(bodies.len(), 6);
    let rounds = 20_000;
    for _ in 0..rounds {
        for body in &bodies {
            let mut mutant = body.clone();
            mutate(&mut rng, &mut mutant);
            fuzzing::parse_messages(&mutant);
        }
    }
    count(rounds * bodies.len());
}

#[test]
fn a_server_without_keys_never_opens_a_session() {
    let (device, play) = begin();
    let config = wasmbed_tls::Config {
        key: &device.key,
        pins: &device.pins,
        server_name: NAME,
        alpn: PROTOCOLS,
    };
    let mut rng = StdRng::seed_from_u64(101);
    let rounds = 3_000;
    for _ in 0..rounds {
        let mut bytes = crate::server::plain_record(22, &play.honest_hello().message());
        mutate(&mut rng, &mut bytes);
        fuzzing::answer_hello(&[3; 64], &config, &bytes);
        let mut noise = vec![0; rng.random_range(0..1500)];
        rng.fill_bytes(&mut noise);
        fuzzing::answer_hello(&[4; 64], &config, &noise);
    }
    count(rounds * 2);
}

/// The flight that `benches/tls-footprint` plays to the client on a board. `WASMBED_UPDATE_GENERATED`
/// writes it anew.
#[test]
fn the_recorded_flight_of_the_footprint_bench_is_current() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../benches/tls-footprint/");
    let pin = SigningKey::from_bytes(&AUTHORITY).verifying_key().to_bytes();
    for (name, bytes) in [("flight.bin", honest_wire()), ("pin.bin", pin.to_vec())] {
        let path = format!("{folder}{name}");
        if std::env::var_os("WASMBED_UPDATE_GENERATED").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name} is stale");
    }
}
