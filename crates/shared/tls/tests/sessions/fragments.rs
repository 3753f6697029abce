//! The same bytes in other pieces: of the wire, and of messages in records.

use wasmbed_tls::State;

use crate::fleet::count;
use crate::hostile::begin;
use crate::server::{DATA, HANDSHAKE, Play};

/// A session with an honest server that cuts its messages by `cut` opens and carries data.
#[track_caller]
fn check_cut(name: usize, cut: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let (mut device, mut play) = begin();
    play.honest_cut(cut);
    play.record(DATA, b"through");
    device.take(&play.take_wire(), 4096);
    assert_eq!(device.client.state(), State::Open, "{name}");
    assert_eq!(device.client.plaintext(), b"through", "{name}");
}

fn flight_bytes() -> usize {
    let (_, mut play) = begin();
    let bytes = std::cell::Cell::new(0);
    play.honest_cut(|whole| {
        bytes.set(whole.len());
        vec![whole.to_vec()]
    });
    bytes.get()
}

#[test]
fn the_wire_may_pause_at_every_byte() {
    let (_, mut play) = begin();
    play.honest();
    play.record(DATA, b"through");
    let wire = play.take_wire();
    for pause in 0..=wire.len() {
        let (mut device, _) = begin();
        device.take(&wire[..pause], 4096);
        device.take(&wire[pause..], 4096);
        assert_eq!(device.client.plaintext(), b"through", "{pause}");
    }
    count(wire.len() + 1);
}

#[test]
fn the_flight_may_be_cut_into_two_records_at_every_byte() {
    let bytes = flight_bytes();
    for at in 1..bytes {
        check_cut(at, |whole| vec![whole[..at].to_vec(), whole[at..].to_vec()]);
    }
    count(bytes - 1);
}

#[test]
fn the_flight_may_be_cut_into_equal_records_of_every_size() {
    let bytes = flight_bytes();
    for size in 1..=bytes {
        check_cut(size, |whole| whole.chunks(size).map(<[u8]>::to_vec).collect());
    }
    count(bytes);
}

#[test]
fn the_hello_may_be_cut_into_two_records_at_every_byte() {
    let (_, play) = begin();
    let hello = play.honest_hello().message();
    for at in 1..hello.len() {
        let (mut device, mut play) = begin();
        play.plain(HANDSHAKE, &hello[..at]);
        play.plain(HANDSHAKE, &hello[at..]);
        play.transcript.extend_from_slice(&hello);
        play.use_handshake_keys();
        rest(&mut play);
        device.take(&play.take_wire(), 4096);
        assert_eq!(device.client.state(), State::Open, "{at}");
    }
    count(hello.len() - 1);
}

/// What follows ServerHello.
fn rest(play: &mut Play) {
    play.extensions(&Play::honest_extensions());
    play.request();
    play.certificate(&crate::leaf::LeafSpec::honest().signed_by(&crate::server::AUTHORITY));
    play.verify();
    play.finished();
}

#[test]
fn messages_after_the_handshake_may_be_cut_at_every_byte() {
    let ticket = crate::server::message(4, &[7; 60]);
    let update = [24, 0, 0, 1, 0];
    let both = [&ticket[..], &update].concat();
    for at in 1..both.len() {
        let (mut device, mut play) = begin();
        play.honest();
        play.record(HANDSHAKE, &both[..at]);
        play.record(HANDSHAKE, &both[at..]);
        play.update_key();
        play.record(DATA, b"through");
        device.take(&play.take_wire(), 4096);
        assert_eq!(device.client.plaintext(), b"through", "{at}");
    }
    count(both.len() - 1);
}

#[test]
fn data_piles_up_in_place_until_it_is_consumed() {
    let (mut device, mut play) = begin();
    play.honest();
    for part in [&b"one "[..], b"", b"two ", b"three"] {
        play.record(DATA, part);
    }
    play.record(DATA, &[b'x'; 480]);
    let wire = play.take_wire();
    device.take(&wire, 4096);
    assert_eq!(device.client.plaintext(), b"one two three");
    device.client.consume(8);
    assert_eq!(device.client.plaintext(), b"three");
    // Five bytes stay, so the record of 502 still fits; then the rest of the wire is taken.
    let taken = wire.len() - 502 + 5;
    device.take(&wire[taken..], 100);
    assert_eq!(device.client.plaintext().len(), 485);
    device.client.consume(1000);
    assert_eq!(device.client.plaintext(), b"");
}
