//! Faults in ServerHello and HelloRetryRequest.

use super::Case;
use crate::server::{HANDSHAKE, Hello, Play, message, vector};

/// Sends a ServerHello changed by `change`, and goes on as if nothing were wrong.
fn hello(play: &mut Play, change: impl FnOnce(&mut Hello)) {
    let mut hello = play.honest_hello();
    change(&mut hello);
    // Keys are not changed: the client answers in the clear.
    play.plain(HANDSHAKE, &hello.message());
}

/// A key share with this group and key.
fn share(group: u16, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &vector(2, key)].concat()
}

fn cookie(bytes: usize) -> Vec<u8> {
    vector(2, &vec![0xc0; bytes])
}

fn downgrade(play: &mut Play, last: u8) {
    hello(play, |hello| {
        hello.drop(43);
        hello.random[24..].copy_from_slice(&[b'D', b'O', b'W', b'N', b'G', b'R', b'D', last]);
    });
}

/// A point of order eight.
const ORDER_EIGHT: [u8; 32] = [
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
    0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
];

pub const CASES: &[Case] = &[
    ("legacy version TLS 1.1", 70, |p| hello(p, |h| h.version = 0x0302)),
    ("legacy version TLS 1.3", 70, |p| hello(p, |h| h.version = 0x0304)),
    ("TLS 1.2: no supported_versions", 70, |p| hello(p, |h| h.drop(43))),
    ("TLS 1.2: no extensions at all", 70, |p| hello(p, |h| h.has_extensions = false)),
    ("downgrade to TLS 1.2, with the mark", 47, |p| downgrade(p, 1)),
    ("downgrade to TLS 1.1, with the mark", 47, |p| downgrade(p, 0)),
    ("supported_versions says TLS 1.2", 47, |p| hello(p, |h| h.put(43, &[3, 3]))),
    ("supported_versions says TLS 1.4", 47, |p| hello(p, |h| h.put(43, &[3, 5]))),
    ("supported_versions is a list", 50, |p| hello(p, |h| h.put(43, &[2, 3, 4]))),
    ("supported_versions is empty", 50, |p| hello(p, |h| h.put(43, &[]))),
    ("suite AES-128-GCM", 47, |p| hello(p, |h| h.suite = 0x1301)),
    ("suite AES-256-GCM", 47, |p| hello(p, |h| h.suite = 0x1302)),
    ("suite of TLS 1.2", 47, |p| hello(p, |h| h.suite = 0xc02b)),
    ("suite null", 47, |p| hello(p, |h| h.suite = 0)),
    ("compression", 47, |p| hello(p, |h| h.compression = 1)),
    ("session id that was not sent", 47, |p| hello(p, |h| h.session_id = vec![7; 32])),
    ("session id of one byte", 47, |p| hello(p, |h| h.session_id = vec![0])),
    ("no key share", 109, |p| hello(p, |h| h.drop(51))),
    ("group x448", 47, |p| hello(p, |h| h.put(51, &share(0x1e, &[9; 56])))),
    ("group P-256", 47, |p| hello(p, |h| h.put(51, &share(0x17, &[4; 65])))),
    ("other group, key of the right size", 47, |p| hello(p, |h| h.put(51, &share(0x1e, &[9; 32])))),
    ("key share zero", 47, |p| hello(p, |h| h.put(51, &share(0x1d, &[0; 32])))),
    ("key share of order eight", 47, |p| hello(p, |h| h.put(51, &share(0x1d, &ORDER_EIGHT)))),
    ("key share too short", 47, |p| hello(p, |h| h.put(51, &share(0x1d, &[9; 31])))),
    ("key share too long", 47, |p| hello(p, |h| h.put(51, &share(0x1d, &[9; 33])))),
    ("key share empty", 50, |p| hello(p, |h| h.put(51, &[]))),
    ("byte behind the key share", 50, |p| {
        hello(p, |h| h.put(51, &[share(0x1d, &[9; 32]), vec![0]].concat()));
    }),
    ("supported_versions twice", 47, |p| hello(p, |h| h.extensions.push((43, vec![3, 4])))),
    ("key share twice", 47, |p| {
        hello(p, |h| h.extensions.push((51, share(0x1d, &[9; 32]))));
    }),
    ("pre_shared_key, never offered", 110, |p| hello(p, |h| h.put(41, &[0, 0]))),
    ("unknown extension", 110, |p| hello(p, |h| h.put(0xfafa, &[]))),
    ("extension that belongs elsewhere: ALPN", 47, |p| hello(p, |h| h.put(16, &[0, 2, 1, 65]))),
    ("extension that belongs elsewhere: cookie", 47, |p| hello(p, |h| h.put(44, &cookie(4)))),
    ("extension that belongs elsewhere: certificate type", 47, |p| {
        hello(p, |h| h.put(19, &[2]));
    }),
    ("byte behind the extensions", 50, |p| hello(p, |h| h.trailing = vec![0])),
    ("empty hello", 50, |p| p.plain(HANDSHAKE, &message(2, &[]))),
    ("hello cut in its random number", 50, |p| p.plain(HANDSHAKE, &message(2, &[3; 20]))),
    ("hello cut in its extensions", 50, |p| {
        let whole = p.honest_hello().message();
        p.plain(HANDSHAKE, &message(2, &whole[4..whole.len() - 1]));
    }),
    ("message behind the hello in its record", 10, |p| {
        let both = [p.honest_hello().message(), message(8, &[0, 0])].concat();
        p.plain(HANDSHAKE, &both);
        let hello = p.honest_hello();
        p.transcript.extend(hello.message());
        p.use_handshake_keys();
    }),
    ("retry that changes nothing", 47, |p| p.retry(|_| {})),
    ("retry for the group that was sent", 47, |p| p.retry(|h| h.put(51, &[0, 0x1d]))),
    ("retry for a group that was not offered", 47, |p| p.retry(|h| h.put(51, &[0, 0x17]))),
    ("retry with cookie and group", 47, |p| {
        p.retry(|h| {
            h.put(44, &cookie(8));
            h.put(51, &[0, 0x1d]);
        });
    }),
    ("retry with an empty cookie", 50, |p| p.retry(|h| h.put(44, &cookie(0)))),
    ("retry with a cookie that does not fit", 80, |p| p.retry(|h| h.put(44, &cookie(400)))),
    ("retry with a whole key share", 47, |p| p.retry(|h| h.put(51, &share(0x1d, &[9; 32])))),
    ("retry for TLS 1.2", 70, |p| p.retry(|h| h.drop(43))),
    ("retry with another suite", 47, |p| {
        p.retry(|h| {
            h.put(44, &cookie(8));
            h.suite = 0x1301;
        });
    }),
    ("message behind the retry in its record", 10, |p| {
        let mut hello = p.honest_hello();
        hello.random = crate::server::retry_random();
        hello.drop(51);
        hello.put(44, &cookie(8));
        p.plain(HANDSHAKE, &[hello.message(), message(8, &[0, 0])].concat());
    }),
    ("two retries", 10, |p| {
        p.retry(|h| h.put(44, &cookie(8)));
        p.retry(|h| h.put(44, &cookie(9)));
    }),
];
