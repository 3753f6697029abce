//! Faults in records: framing, encryption, order of types.

use super::Case;
use crate::server::{ALERT, DATA, HANDSHAKE, Play, message, plain_record};

const CHANGE_CIPHER_SPEC: u8 = 20;

/// Sends a whole, right flight whose first encrypted record was changed by `change`.
fn damage(play: &mut Play, change: impl FnOnce(&mut Vec<u8>)) {
    play.honest_start();
    let hello = play.take_wire();
    play.extensions(&Play::honest_extensions());
    let mut record = play.take_wire();
    change(&mut record);
    play.wire = [hello, record].concat();
}

/// An open session, then a record with this type and content.
fn after_opening(play: &mut Play, kind: u8, content: &[u8]) {
    play.honest();
    play.record(kind, content);
}

/// An open session, then these bytes on the wire.
fn raw_after_opening(play: &mut Play, bytes: &[u8]) {
    play.honest();
    play.wire.extend_from_slice(bytes);
}

/// ServerHello, then a record with exactly this under its encryption.
fn inner(play: &mut Play, bytes: &[u8]) {
    play.honest_start();
    let record = play.keys.as_mut().unwrap().seal(bytes);
    play.wire.extend(record);
}

const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

pub const CASES: &[Case] = &[
    ("record of 508 bytes", 22, |p| p.wire.extend([22, 3, 3, 1, 252])),
    ("record of 65,535 bytes", 22, |p| p.wire.extend([22, 3, 3, 255, 255])),
    ("record of type 24, heartbeat", 10, |p| p.plain(24, &[1])),
    ("record of type 0", 10, |p| p.plain(0, &[1])),
    ("SSL 2", 10, |p| p.wire.extend([0x80, 0x2e, 1, 0, 2])),
    ("HTTP", 10, |p| p.wire.extend(b"HTTP/1.1 400 Bad Request\r\n")),
    ("record version TLS 1.0", 70, |p| p.wire.extend([22, 3, 1, 0, 1, 2])),
    ("record version 0", 70, |p| p.wire.extend([22, 0, 0, 0, 1, 2])),
    ("empty handshake record", 10, |p| p.plain(HANDSHAKE, &[])),
    ("data before the hello", 10, |p| p.plain(DATA, &[0; 40])),
    ("empty alert", 10, |p| p.plain(ALERT, &[])),
    ("alert of one byte", 50, |p| p.plain(ALERT, &[2])),
    ("alert of three bytes", 50, |p| p.plain(ALERT, &[2, 40, 0])),
    ("two alerts in a record", 50, |p| p.plain(ALERT, &[1, 90, 1, 0])),
    ("ChangeCipherSpec with another value", 10, |p| p.plain(CHANGE_CIPHER_SPEC, &[2])),
    ("ChangeCipherSpec of two bytes", 10, |p| p.plain(CHANGE_CIPHER_SPEC, &[1, 1])),
    ("empty ChangeCipherSpec", 10, |p| p.plain(CHANGE_CIPHER_SPEC, &[])),
    ("three ChangeCipherSpecs", 10, |p| {
        for _ in 0..3 {
            p.plain(CHANGE_CIPHER_SPEC, &[1]);
        }
    }),
    ("ChangeCipherSpec inside a message", 10, |p| {
        p.plain(HANDSHAKE, &[2, 0]);
        p.plain(CHANGE_CIPHER_SPEC, &[1]);
    }),
    ("alert inside a message", 10, |p| {
        p.plain(HANDSHAKE, &[2, 0]);
        p.plain(ALERT, &[2, 40]);
    }),
    ("message of 508 bytes", 47, |p| p.plain(HANDSHAKE, &[2, 0, 1, 248, 3, 3])),
    ("message of 16 MB", 47, |p| p.plain(HANDSHAKE, &[2, 255, 255, 255])),
    ("messages that do not fit together", 47, |p| {
        // 490 bytes of a message of 507, then a record of 507.
        p.plain(HANDSHAKE, &[&[2, 0, 1, 247][..], &[0; 486]].concat());
        p.plain(HANDSHAKE, &[0; 507]);
    }),
    ("plaintext handshake behind the hello", 10, |p| {
        p.honest_start();
        p.plain(HANDSHAKE, &message(8, &[0, 0]));
    }),
    ("plaintext alert behind the hello", 10, |p| {
        p.honest_start();
        p.plain(ALERT, &[2, 40]);
    }),
    ("changed tag", 20, |p| damage(p, |r| *r.last_mut().unwrap() ^= 1)),
    ("changed body", 20, |p| damage(p, |r| r[9] ^= 0x80)),
    ("changed length", 20, |p| {
        damage(p, |r| {
            r[4] -= 1;
            r.pop();
        });
    }),
    ("encrypted record without a tag", 20, |p| damage(p, |r| *r = plain_record(DATA, &[1; 15]))),
    ("empty encrypted record", 20, |p| damage(p, |r| *r = plain_record(DATA, &[]))),
    ("encrypted record twice", 20, |p| damage(p, |r| r.extend(r.clone()))),
    ("encrypted record left out", 20, |p| {
        damage(p, Vec::clear);
        p.request();
    }),
    ("encrypted nothing", 10, |p| inner(p, &[])),
    ("encrypted padding only", 10, |p| inner(p, &[0; 40])),
    ("encrypted ChangeCipherSpec", 10, |p| inner(p, &[1, 20])),
    ("encrypted record of type 24", 10, |p| inner(p, &[1, 24])),
    ("encrypted record of type 255", 10, |p| inner(p, &[1, 255])),
    ("encrypted empty handshake", 10, |p| inner(p, &[22])),
    ("encrypted empty alert", 10, |p| inner(p, &[21])),
    ("data under handshake keys", 10, |p| inner(p, &[b'h', b'i', 23])),
    ("data before Finished", 10, |p| {
        p.until_finished();
        p.record(DATA, b"early");
    }),
    ("data inside a message", 10, |p| {
        p.honest_start();
        p.record(HANDSHAKE, &[8, 0]);
        p.record(DATA, b"between");
    }),
    ("record of another session", 20, |p| {
        p.honest_start();
        let mut other = Play::new(&plain_record(HANDSHAKE, &p.client_hello));
        other.transcript.push(0);
        other.use_handshake_keys();
        other.extensions(&Play::honest_extensions());
        p.wire.extend(other.take_wire());
    }),
    ("plaintext data in an open session", 20, |p| {
        raw_after_opening(p, &plain_record(DATA, &[0x55; 40]));
    }),
    ("plaintext alert in an open session", 10, |p| {
        raw_after_opening(p, &plain_record(ALERT, &[1, 0]));
    }),
    ("plaintext handshake in an open session", 10, |p| {
        raw_after_opening(p, &plain_record(HANDSHAKE, &KEY_UPDATE));
    }),
    ("ChangeCipherSpec in an open session", 10, |p| {
        raw_after_opening(p, &plain_record(CHANGE_CIPHER_SPEC, &[1]));
    }),
    ("oversized record in an open session", 22, |p| raw_after_opening(p, &[23, 3, 3, 2, 0])),
    ("empty handshake in an open session", 10, |p| after_opening(p, HANDSHAKE, &[])),
    ("KeyUpdate with another value", 47, |p| after_opening(p, HANDSHAKE, &[24, 0, 0, 1, 2])),
    ("empty KeyUpdate", 50, |p| after_opening(p, HANDSHAKE, &[24, 0, 0, 0])),
    ("KeyUpdate of two bytes", 50, |p| after_opening(p, HANDSHAKE, &[24, 0, 0, 2, 0, 0])),
    ("message behind a KeyUpdate", 10, |p| {
        after_opening(p, HANDSHAKE, &[KEY_UPDATE, KEY_UPDATE].concat());
    }),
    ("data inside a KeyUpdate", 10, |p| {
        after_opening(p, HANDSHAKE, &KEY_UPDATE[..3]);
        p.record(DATA, b"between");
    }),
    ("alert inside a ticket", 10, |p| {
        after_opening(p, HANDSHAKE, &[4, 0, 0, 40, 0, 0]);
        p.record(ALERT, &[1, 0]);
    }),
    ("old key after a KeyUpdate", 20, |p| {
        after_opening(p, HANDSHAKE, &KEY_UPDATE);
        p.record(DATA, b"old");
    }),
    ("new key without a KeyUpdate", 20, |p| {
        p.honest();
        p.update_key();
        p.record(DATA, b"new");
    }),
    ("ticket of 64 KB", 47, |p| after_opening(p, HANDSHAKE, &[4, 0, 255, 255])),
    ("client authentication after the handshake", 10, |p| {
        after_opening(p, HANDSHAKE, &[13, 0, 0, 3, 0, 0, 0]);
    }),
    ("hello in an open session", 10, |p| {
        let hello = p.honest_hello().message();
        after_opening(p, HANDSHAKE, &hello);
    }),
    ("HelloRequest in an open session", 10, |p| after_opening(p, HANDSHAKE, &[0, 0, 0, 0])),
    ("Finished twice", 10, |p| {
        p.until_finished();
        let finished = p.finished_message();
        p.finished();
        p.record(HANDSHAKE, &finished);
    }),
    ("message behind Finished in its record", 10, |p| {
        p.until_finished();
        let finished = p.finished_message();
        p.record(HANDSHAKE, &[&finished[..], &KEY_UPDATE].concat());
    }),
    ("part of a message behind Finished in its record", 10, |p| {
        p.until_finished();
        let finished = p.finished_message();
        p.record(HANDSHAKE, &[&finished[..], &[24]].concat());
    }),
];
