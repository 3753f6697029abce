//! Faults in the encrypted messages: left out, doubled, out of turn, ill-formed.

use super::Case;
use crate::leaf::LeafSpec;
use crate::server::{
    AUTHORITY, GATEWAY, HANDSHAKE, Play, STRANGER, certificate_message, extensions, message, vector,
};

const SERVER: &str = "TLS 1.3, server CertificateVerify";

/// ServerHello, then an honest EncryptedExtensions without `kind` and with `more`.
fn extend(play: &mut Play, kind: u16, more: &[(u16, Vec<u8>)]) {
    play.honest_start();
    let mut list = Play::honest_extensions();
    list.retain(|(found, _)| *found != kind);
    list.extend_from_slice(more);
    play.extensions(&list);
}

/// Up to CertificateRequest, which has this body.
fn request(play: &mut Play, body: &[u8]) {
    play.honest_start();
    play.extensions(&Play::honest_extensions());
    play.message(&message(13, body));
}

fn leaf() -> Vec<u8> {
    LeafSpec::honest().signed_by(&AUTHORITY)
}

/// Up to CertificateVerify, which `seed` signs.
fn verify(play: &mut Play, seed: &[u8; 32], scheme: u16, context: &str) {
    play.until_verify();
    let bytes = play.verify_message(seed, scheme, context);
    play.message(&bytes);
}

/// Up to Finished, which has this body.
fn finish(play: &mut Play, body: &[u8]) {
    play.until_finished();
    play.message(&message(20, body));
}

fn schemes(list: &[u8]) -> Vec<u8> {
    [vec![0], extensions(&[(13, vector(2, list))])].concat()
}

pub const CASES: &[Case] = &[
    ("HelloRequest instead of the hello", 10, |p| p.plain(HANDSHAKE, &message(0, &[]))),
    ("ClientHello sent back", 10, |p| {
        let hello = p.client_hello.clone();
        p.plain(HANDSHAKE, &hello);
    }),
    ("Certificate instead of the hello", 10, |p| {
        p.plain(HANDSHAKE, &certificate_message(&[&leaf()], &[]));
    }),
    ("Finished instead of the hello", 10, |p| p.plain(HANDSHAKE, &message(20, &[0; 32]))),
    ("second hello, encrypted", 10, |p| {
        p.honest_start();
        let hello = p.honest_hello().message();
        p.message(&hello);
    }),
    ("no EncryptedExtensions", 10, |p| {
        p.honest_start();
        p.request();
    }),
    ("EncryptedExtensions twice", 10, |p| {
        extend(p, 0xffff, &[]);
        p.extensions(&Play::honest_extensions());
    }),
    ("raw public keys not taken", 43, |p| extend(p, 19, &[])),
    ("client certificate type X.509", 47, |p| extend(p, 19, &[(19, vec![0])])),
    ("client certificate type unknown", 47, |p| extend(p, 19, &[(19, vec![9])])),
    ("client certificate type is a list", 50, |p| extend(p, 19, &[(19, vec![2, 2])])),
    ("server certificate type raw public key", 47, |p| extend(p, 20, &[(20, vec![2])])),
    ("no protocol", 120, |p| extend(p, 16, &[])),
    ("protocol that was not offered", 120, |p| {
        extend(p, 16, &[(16, vector(2, &vector(1, b"http/1.1")))]);
    }),
    ("protocol that begins like the offered one", 120, |p| {
        extend(p, 16, &[(16, vector(2, &vector(1, b"wasmbed/1")))]);
    }),
    ("two protocols", 50, |p| {
        let names = [vector(1, b"wasmbed/1-512"), vector(1, b"h2")].concat();
        extend(p, 16, &[(16, vector(2, &names))]);
    }),
    ("empty protocol list", 50, |p| extend(p, 16, &[(16, vec![0, 0])])),
    ("protocols twice", 47, |p| {
        extend(p, 0xffff, &[(16, vector(2, &vector(1, b"wasmbed/1-512")))]);
    }),
    ("max_fragment_length, never offered", 110, |p| extend(p, 0xffff, &[(1, vec![1])])),
    ("record_size_limit, never offered", 110, |p| extend(p, 0xffff, &[(28, vec![2, 0])])),
    ("early_data, never offered", 110, |p| extend(p, 0xffff, &[(42, vec![])])),
    ("key share among the encrypted ones", 47, |p| extend(p, 0xffff, &[(51, vec![0, 0x1d])])),
    ("supported_versions among the encrypted ones", 47, |p| {
        extend(p, 0xffff, &[(43, vec![3, 4])]);
    }),
    ("signature_algorithms among the encrypted ones", 47, |p| {
        extend(p, 0xffff, &[(13, vec![0, 2, 8, 7])]);
    }),
    ("server name that is not empty", 50, |p| extend(p, 0xffff, &[(0, vec![1])])),
    ("supported groups cut", 50, |p| extend(p, 0xffff, &[(10, vec![0, 4, 0, 0x1d])])),
    ("extensions cut", 50, |p| {
        p.honest_start();
        p.message(&message(8, &[0, 4, 0, 16, 0]));
    }),
    ("byte behind the extensions", 50, |p| {
        p.honest_start();
        p.message(&message(8, &[extensions(&Play::honest_extensions()), vec![0]].concat()));
    }),
    ("empty EncryptedExtensions message", 50, |p| {
        p.honest_start();
        p.message(&message(8, &[]));
    }),
    ("no CertificateRequest", 40, |p| {
        p.honest_start();
        p.extensions(&Play::honest_extensions());
        p.certificate(&leaf());
    }),
    ("CertificateRequest with a context", 47, |p| {
        request(p, &[vec![1, 7], extensions(&[(13, vec![0, 2, 8, 7])])].concat());
    }),
    ("CertificateRequest without algorithms", 109, |p| request(p, &[0, 0, 0])),
    ("CertificateRequest for ECDSA only", 40, |p| request(p, &schemes(&[4, 3, 5, 3]))),
    ("CertificateRequest with half an algorithm", 50, |p| request(p, &schemes(&[8, 7, 8]))),
    ("CertificateRequest with algorithms twice", 47, |p| {
        let list = (13, vec![0, 2, 8, 7]);
        request(p, &[vec![0], extensions(&[list.clone(), list])].concat());
    }),
    ("byte behind the CertificateRequest", 50, |p| {
        request(p, &[schemes(&[8, 7]), vec![0]].concat());
    }),
    ("byte behind the algorithms", 50, |p| {
        request(p, &[vec![0], extensions(&[(13, vec![0, 2, 8, 7, 0])])].concat());
    }),
    ("empty CertificateRequest", 50, |p| request(p, &[])),
    ("CertificateRequest twice", 10, |p| {
        p.until_certificate();
        p.request();
    }),
    ("neither Certificate nor CertificateVerify", 10, |p| {
        p.until_certificate();
        p.finished();
    }),
    ("nothing between extensions and Finished", 10, |p| {
        p.honest_start();
        p.extensions(&Play::honest_extensions());
        p.finished();
    }),
    ("no Certificate", 10, |p| {
        p.until_certificate();
        p.verify();
    }),
    ("no CertificateVerify", 10, |p| {
        p.until_verify();
        p.finished();
    }),
    ("CertificateVerify before Certificate", 10, |p| {
        p.until_certificate();
        p.verify();
        p.certificate(&leaf());
    }),
    ("Certificate twice", 10, |p| {
        p.until_verify();
        p.certificate(&leaf());
    }),
    ("CertificateVerify twice", 10, |p| {
        p.until_finished();
        p.verify();
    }),
    ("Certificate without certificates", 50, |p| {
        p.until_certificate();
        p.message(&certificate_message(&[], &[]));
    }),
    ("Certificate with an empty one", 50, |p| {
        p.until_certificate();
        p.message(&certificate_message(&[&[]], &[]));
    }),
    ("two certificates", 42, |p| {
        p.until_certificate();
        // Small, so that both fit in one message.
        p.message(&certificate_message(&[&leaf(), &[0x30, 0]], &[]));
    }),
    ("Certificate with a context", 47, |p| {
        p.until_certificate();
        let honest = certificate_message(&[&leaf()], &[]);
        p.message(&message(11, &[&[1, 7], &honest[5..]].concat()));
    }),
    ("Certificate with a status that was not asked for", 110, |p| {
        p.until_certificate();
        p.message(&certificate_message(&[&leaf()], &[(5, vec![1, 0, 0, 0])]));
    }),
    ("Certificate with a server name", 47, |p| {
        p.until_certificate();
        p.message(&certificate_message(&[&leaf()], &[(0, vec![])]));
    }),
    ("byte behind the Certificate", 50, |p| {
        p.until_certificate();
        let honest = certificate_message(&[&leaf()], &[]);
        p.message(&message(11, &[&honest[4..], &[0]].concat()));
    }),
    ("compressed Certificate", 10, |p| {
        p.until_certificate();
        p.message(&message(25, &[0, 1, 0, 0, 0]));
    }),
    ("CertificateVerify with ECDSA", 47, |p| verify(p, &GATEWAY, 0x0403, SERVER)),
    ("CertificateVerify with RSA-PSS", 47, |p| verify(p, &GATEWAY, 0x0804, SERVER)),
    ("CertificateVerify with Ed448", 47, |p| verify(p, &GATEWAY, 0x0808, SERVER)),
    ("CertificateVerify by another key", 51, |p| verify(p, &STRANGER, 0x0807, SERVER)),
    ("CertificateVerify by the authority", 51, |p| verify(p, &AUTHORITY, 0x0807, SERVER)),
    ("CertificateVerify made for clients", 51, |p| {
        verify(p, &GATEWAY, 0x0807, "TLS 1.3, client CertificateVerify");
    }),
    ("CertificateVerify over another transcript", 51, |p| {
        p.until_verify();
        p.transcript.push(0);
        let bytes = p.verify_message(&GATEWAY, 0x0807, SERVER);
        p.transcript.pop();
        p.message(&bytes);
    }),
    ("CertificateVerify with a scalar above the order", 51, |p| {
        p.until_verify();
        let mut bytes = p.verify_message(&GATEWAY, 0x0807, SERVER);
        *bytes.last_mut().unwrap() |= 0xe0;
        p.message(&bytes);
    }),
    ("signature too short", 50, |p| {
        p.until_verify();
        p.message(&message(15, &[vec![8, 7], vector(2, &[1; 63])].concat()));
    }),
    ("signature too long", 50, |p| {
        p.until_verify();
        p.message(&message(15, &[vec![8, 7], vector(2, &[1; 65])].concat()));
    }),
    ("byte behind the signature", 50, |p| {
        p.until_verify();
        let bytes = p.verify_message(&GATEWAY, 0x0807, SERVER);
        p.message(&message(15, &[&bytes[4..], &[0]].concat()));
    }),
    ("wrong Finished", 51, |p| finish(p, &[0; 32])),
    ("Finished wrong in its last bit", 51, |p| {
        p.until_finished();
        let mut bytes = p.finished_message();
        *bytes.last_mut().unwrap() ^= 1;
        p.message(&bytes);
    }),
    ("Finished of the client", 51, |p| {
        p.until_finished();
        std::mem::swap(&mut p.keys, &mut p.client_keys);
        let bytes = p.finished_message();
        std::mem::swap(&mut p.keys, &mut p.client_keys);
        p.message(&bytes);
    }),
    ("Finished too short", 50, |p| finish(p, &[0; 31])),
    ("Finished too long", 50, |p| finish(p, &[0; 33])),
    ("empty Finished", 50, |p| finish(p, &[])),
    ("KeyUpdate before Finished", 10, |p| {
        p.until_finished();
        p.record(HANDSHAKE, &[24, 0, 0, 1, 0]);
    }),
    ("ticket before Finished", 10, |p| {
        p.until_finished();
        p.record(HANDSHAKE, &message(4, &[0; 20]));
    }),
    ("EndOfEarlyData", 10, |p| {
        p.until_certificate();
        p.message(&message(5, &[]));
    }),
];
