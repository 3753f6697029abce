//! Servers that break one rule each: the session must not open, and the alert must be the right one.

use ed25519_oracle::SigningKey;
use wasmbed_tls::{Closed, State};

use crate::fleet::{Device, count};
use crate::server::{AUTHORITY, Play};

mod certificates;
mod hellos;
mod messages;
mod records;

/// What a server does, after its name and the alert that it gets.
pub type Case = (&'static str, u8, fn(&mut Play));

/// A device that trusts the test authority, and the server that has its hello.
pub fn begin() -> (Device, Play) {
    let pin = SigningKey::from_bytes(&AUTHORITY).verifying_key().to_bytes();
    let mut device = Device::new(&[pin]);
    device.settle();
    let play = Play::new(&device.drain());
    (device, play)
}

#[track_caller]
fn refuse(cases: &[Case]) {
    for (name, alert, act) in cases {
        let (mut device, mut play) = begin();
        act(&mut play);
        let wire = play.take_wire();
        device.take(&wire, 4096);
        // A HelloRetryRequest may have been answered: what counts is what came last.
        let State::Closed(Closed::Failed(error)) = device.client.state() else {
            panic!("{name}: {:?}", device.client.state());
        };
        assert_eq!(error.alert(), *alert, "{name}: {error:?}");
        let answer = device.drain();
        assert_eq!(play.read_alert(&answer), Some(*alert), "{name}: on the wire");
        assert_eq!(device.client.alpn(), None, "{name}");
        assert_eq!(device.client.validity(), None, "{name}");
    }
    count(cases.len());
}

#[test]
fn an_honest_server_is_accepted_and_sees_a_right_client() {
    let (mut device, mut play) = begin();
    play.honest();
    device.take(&play.take_wire(), 4096);
    assert_eq!(device.client.state(), State::Open);
    let flight = device.drain();
    play.check_client_flight(&flight, device.key.public());
    device.client.write(b"up");
    let record = device.drain();
    let opened = play.client_keys.as_mut().unwrap().open(&record);
    assert_eq!(opened, Some((23, b"up".to_vec())));
    play.record(23, b"down");
    device.take(&play.take_wire(), 4096);
    assert_eq!(device.client.plaintext(), b"down");
}

#[test]
fn a_hello_with_a_fault_is_refused() {
    refuse(hellos::CASES);
}

#[test]
fn a_record_with_a_fault_is_refused() {
    refuse(records::CASES);
}

#[test]
fn a_message_with_a_fault_or_out_of_turn_is_refused() {
    refuse(messages::CASES);
}

#[test]
fn a_certificate_with_a_fault_is_refused() {
    refuse(certificates::CASES);
}
