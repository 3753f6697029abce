//! What a client has to put up with, and what it must not mind.

use wasmbed_tls::{Closed, Error, State, Validity, limits};

use crate::fleet::{NOW, count};
use crate::hostile::begin;
use crate::leaf::{LeafSpec, element, extension, sequence};
use crate::server::{ALERT, AUTHORITY, DATA, HANDSHAKE, Play, extensions, message, vector};

/// What a server does, after its name.
type Case = (&'static str, fn(&mut Play));

/// Cases that end in an open session which has read "data".
#[track_caller]
fn check(cases: &[Case]) {
    for (name, act) in cases {
        let (mut device, mut play) = begin();
        act(&mut play);
        play.record(DATA, b"data");
        device.take(&play.take_wire(), 4096);
        assert_eq!(device.client.state(), State::Open, "{name}");
        assert_eq!(device.client.plaintext(), b"data", "{name}");
    }
    count(cases.len());
}

fn with_leaf(play: &mut Play, change: impl FnOnce(&mut LeafSpec)) {
    play.until_certificate();
    play.certificate(&LeafSpec::with(change).signed_by(&AUTHORITY));
    play.verify();
    play.finished();
}

fn with_extensions(play: &mut Play, more: &[(u16, Vec<u8>)]) {
    play.honest_start();
    play.extensions(&[Play::honest_extensions(), more.to_vec()].concat());
    play.request();
    play.certificate(&LeafSpec::honest().signed_by(&AUTHORITY));
    play.verify();
    play.finished();
}

#[test]
fn legal_variations_of_the_handshake_are_accepted() {
    check(&[
        ("one ChangeCipherSpec", |p| {
            p.plain(20, &[1]);
            p.honest();
        }),
        ("ChangeCipherSpec behind the hello", |p| {
            p.honest_start();
            p.plain(20, &[1]);
            p.plain(20, &[1]);
            p.extensions(&Play::honest_extensions());
            p.request();
            p.certificate(&LeafSpec::honest().signed_by(&AUTHORITY));
            p.verify();
            p.finished();
        }),
        ("user_canceled, which is no end", |p| {
            p.honest();
            p.record(ALERT, &[1, 90]);
        }),
        ("server name taken note of", |p| with_extensions(p, &[(0, vec![])])),
        ("groups the server would like", |p| with_extensions(p, &[(10, vec![0, 2, 0, 0x1d])])),
        ("request with extensions that nobody knows", |p| {
            p.honest_start();
            p.extensions(&Play::honest_extensions());
            let list = [(13, vec![0, 4, 4, 3, 8, 7]), (0xfafa, vec![1, 2]), (47, vec![0, 0])];
            p.message(&message(13, &[vec![0], extensions(&list)].concat()));
            p.certificate(&LeafSpec::honest().signed_by(&AUTHORITY));
            p.verify();
            p.finished();
        }),
        ("padding", |p| {
            p.honest();
            let record = p.keys.as_mut().unwrap().seal(&[&[DATA][..], &[0; 200]].concat());
            p.wire.extend(record);
        }),
        ("tickets", |p| {
            p.honest();
            p.record(HANDSHAKE, &[message(4, &[1; 200]), message(4, &[2; 200])].concat());
        }),
        ("KeyUpdates", |p| {
            p.honest();
            for request in [0, 1, 0, 1, 1] {
                p.record(HANDSHAKE, &[24, 0, 0, 1, request]);
                p.update_key();
            }
        }),
    ]);
}

#[test]
fn legal_variations_of_the_leaf_are_accepted() {
    check(&[
        ("key usage digitalSignature", |p| {
            with_leaf(p, |l| l.extensions.push(extension(15, true, &element(3, &[7, 0x80]))));
        }),
        ("not an authority, said so", |p| {
            with_leaf(p, |l| l.extensions.push(extension(19, true, &sequence(&[]))));
        }),
        ("unknown extension that is not critical", |p| {
            with_leaf(p, |l| l.extensions.push(extension(35, false, &sequence(&[]))));
        }),
        ("critical name", |p| {
            with_leaf(p, |l| {
                let name = sequence(&[element(0x82, crate::fleet::NAME.as_bytes())]);
                l.extensions[0] = extension(17, true, &name);
            });
        }),
        ("valid until 9999", |p| {
            with_leaf(p, |l| l.not_after = element(0x18, b"99991231235959Z"));
        }),
        ("valid since 1950", |p| with_leaf(p, |l| l.not_before = element(0x17, b"500101000000Z"))),
        ("serial number of 20 bytes", |p| with_leaf(p, |l| l.serial = element(2, &[0x7f; 20]))),
        ("serial number with a needed zero", |p| {
            with_leaf(p, |l| l.serial = element(2, &[0, 0x80]));
        }),
        ("leaf of more than 255 bytes of names", |p| {
            with_leaf(p, |l| l.extensions.push(extension(99, false, &[5; 100])));
        }),
    ]);
}

#[test]
fn a_retry_with_a_cookie_is_answered_with_the_same_hello_and_the_cookie() {
    for cookie_bytes in [1, 2, 32, 100] {
        let (mut device, mut play) = begin();
        let cookie = vector(2, &vec![0xc0; cookie_bytes]);
        play.retry(|hello| hello.put(44, &cookie));
        device.take(&play.take_wire(), 4096);
        let second = device.drain()[5..].to_vec();
        let share_at = second.len() - 42;
        let first = play.client_hello.clone();
        let extension = [&[0, 44][..], &vector(2, &cookie)].concat();
        assert_eq!(second[share_at - extension.len()..share_at], extension);
        assert_eq!(second[6..38], first[6..38], "the random number");
        assert_eq!(second[share_at..], first[first.len() - 42..], "the key share");
        play.transcript.extend_from_slice(&second);
        play.honest();
        device.take(&play.take_wire(), 4096);
        assert_eq!(device.client.state(), State::Open, "{cookie_bytes}");
    }
    count(4);
}

#[test]
fn without_a_clock_the_dates_are_left_to_the_caller() {
    let (mut device, mut play) = begin();
    device.now_unix = None;
    with_leaf(&mut play, |leaf| leaf.not_after = element(0x17, b"251231235959Z"));
    device.take(&play.take_wire(), 4096);
    assert_eq!(device.client.state(), State::Open);
    let validity = device.client.validity().unwrap();
    assert_eq!(validity, Validity { not_before: 1_735_689_600, not_after: 1_767_225_599 });
    assert_eq!(validity.check(NOW), Err(Error::Expired));
    assert_eq!(validity.check(0), Err(Error::NotYetValid));
    assert_eq!(validity.check(1_767_225_599), Ok(()));
}

#[test]
fn a_requested_key_update_is_answered_once_the_wire_is_free() {
    let (mut device, mut play) = begin();
    play.honest();
    device.take(&play.take_wire(), 4096);
    let flight = device.drain();
    play.check_client_flight(&flight, device.key.public());
    assert_eq!(device.client.write(b"before"), 6);
    play.record(HANDSHAKE, &[24, 0, 0, 1, 1]);
    device.take(&play.take_wire(), 4096);
    let keys = play.client_keys.as_mut().unwrap();
    assert_eq!(keys.open(&device.drain()), Some((DATA, b"before".to_vec())));
    assert_eq!(device.client.write(b"between"), 0, "the answer goes first");
    device.settle();
    assert_eq!(keys.open(&device.drain()), Some((HANDSHAKE, vec![24, 0, 0, 1, 0])));
    assert_eq!(device.client.write(b"after"), 5);
    assert_eq!(keys.open(&device.drain()), None, "the old key");
}

#[test]
fn every_alert_of_the_server_ends_the_session_and_is_told() {
    for description in (1..=255).filter(|description| *description != 90) {
        let (mut device, mut play) = begin();
        play.plain(ALERT, &[2, description]);
        device.take(&play.take_wire(), 4096);
        let closed = State::Closed(Closed::PeerAlert(description));
        assert_eq!(device.client.state(), closed);
        let (mut device, mut play) = begin();
        play.honest();
        play.record(ALERT, &[1, description]);
        device.take(&play.take_wire(), 4096);
        assert_eq!(device.client.state(), closed);
    }
    count(254 * 2);
}

#[test]
fn a_closed_session_takes_and_gives_nothing() {
    let (mut device, mut play) = begin();
    play.honest();
    device.take(&play.take_wire(), 4096);
    device.drain();
    device.client.close();
    assert!(!device.drain().is_empty(), "close_notify");
    play.record(DATA, b"late");
    assert_eq!(device.client.receive(&play.take_wire()), 0);
    assert_eq!(device.client.write(b"late"), 0);
    device.client.update_keys();
    device.client.close();
    device.settle();
    assert_eq!(device.drain(), b"");
    assert_eq!(device.client.state(), State::Closed(Closed::Local));
}

#[test]
fn data_is_written_in_records_that_leave_room_for_an_alert() {
    let (mut device, mut play) = begin();
    play.honest();
    device.take(&play.take_wire(), 4096);
    assert_eq!(device.client.write(b"x"), 0, "the flight is still on its way");
    device.drain();
    assert_eq!(device.client.write(&[7; 1000]), limits::WRITE_BYTES_MAX);
    let data_bytes = device.client.outgoing().len();
    device.client.close();
    let alert_bytes = device.client.outgoing().len() - data_bytes;
    assert_eq!(alert_bytes, limits::ALERT_RECORD_BYTES);
    assert_eq!(data_bytes + alert_bytes, limits::BUFFER_BYTES);
}

#[test]
fn a_name_of_two_whole_labels_fits_and_a_longer_one_is_an_error_of_ours() {
    let (mut device, _) = begin();
    for (name_bytes, fits) in [(127, true), (354, true), (355, false)] {
        let name = "n".repeat(name_bytes);
        let config = wasmbed_tls::Config {
            key: &device.key,
            pins: &device.pins,
            server_name: &name,
            alpn: crate::fleet::PROTOCOLS,
        };
        device.client.start(&[1; 64]);
        device.client.step(&config, None);
        let expected = if fits {
            State::Handshaking
        } else {
            State::Closed(Closed::Failed(Error::HelloTooLarge))
        };
        assert_eq!(device.client.state(), expected, "{name_bytes}");
        assert_eq!(device.client.outgoing().is_empty(), !fits);
    }
}
