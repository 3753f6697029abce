//! The properties under valid streams with random damage, and under noise.

use super::*;
use crate::flash::{ANSWER_BYTES_MAX, RESYNC_ZEROS, Request, Status, answer};
use crate::uplink::{START_ZEROS, console};

const ROUNDS: u64 = 10_000;

/// SplitMix64: small, and good enough to damage a stream.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Everything that any side ever says, one after the other.
fn valid() -> Vec<u8> {
    let mut bytes = vec![0; RESYNC_ZEROS];
    let mut request = |request: Request<'_>| {
        bytes.extend_from_slice(request.head());
        bytes.extend_from_slice(request.data());
        bytes.extend_from_slice(request.tail());
    };
    request(Request::sync(1, 7));
    request(Request::read(1, 4096, 64));
    request(Request::program(1, 9, &[0x5A; 40]));
    request(Request::erase(1, 0));
    let mut target = [0; ANSWER_BYTES_MAX];
    bytes.extend_from_slice(answer(&mut target, 1, Status::Done, &[0xA5; 64]));
    bytes.extend([0; START_ZEROS]);
    let mut device = Device::<48>::new(224);
    let sync = device.start(*b"8 random");
    bytes.extend_from_slice(sync.bytes());
    let mut host = Host::new();
    for byte in core::iter::repeat_n(&0, START_ZEROS).chain(sync.bytes()) {
        let _ = host.receive(*byte);
    }
    while let Some(frame) = host.control() {
        bytes.extend_from_slice(frame.bytes());
        for byte in frame.bytes() {
            let _ = device.receive(*byte);
        }
    }
    bytes.extend(host.session(b"from the gateway").unwrap().bytes());
    bytes.extend(device.session(b"from the device").unwrap().bytes());
    bytes.extend(console(b"console").bytes());
    bytes
}

#[track_caller]
fn check(property: fn(&[u8])) {
    let valid = valid();
    property(&valid);
    let mut random = Random(1);
    for round in 0..ROUNDS {
        let mut bytes = valid.clone();
        for _ in 0..=random.below(8) {
            let (at, byte) = (random.below(bytes.len()), random.next() as u8);
            match random.below(4) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.rotate_left(at),
            }
        }
        if round % 4 == 0 {
            bytes.iter_mut().for_each(|slot| *slot = random.next() as u8);
        }
        property(&bytes);
    }
    println!("\ncases: {}\n", ROUNDS + 1);
}

#[test]
fn a_flash_server_survives_any_bytes() {
    check(flash_requests);
}

#[test]
fn a_flash_driver_survives_any_bytes() {
    check(flash_answers);
}

#[test]
fn a_host_survives_any_bytes() {
    check(uplink_host);
}

#[test]
fn a_device_survives_any_bytes() {
    check(uplink_device);
}
