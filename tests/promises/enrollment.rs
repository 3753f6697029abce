//! Promise 4: a key made on the device becomes a Device in the cluster.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use wasmbed_tests::cli::Cli;
use wasmbed_tests::fleet::Member;

/// Letters of base32 in lower case.
///
/// # Source
/// RFC 4648, section 6.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Letters of a Device's name behind `d-`.
const NAME_LETTERS: usize = 16;

/// The public key of each board's Device; empty where there is none.
pub fn keys(cli: &Cli, members: &[Member]) -> Vec<String> {
    let key = |member: &Member| match member.device.is_empty() {
        true => String::new(),
        false => key(cli, member),
    };
    members.iter().map(key).collect()
}

#[track_caller]
fn key(cli: &Cli, member: &Member) -> String {
    cli.get(&member.object())["spec"]["publicKey"].as_str().unwrap_or_default().to_owned()
}

/// Checks that the board's key is its own, that the Device is named by it, that it is there after a
/// power cut, and that a board which has lost its flash makes another one.
#[track_caller]
pub fn check(cli: &Cli, member: &Member, keys: &[String]) {
    let first = key(cli, member);
    assert_eq!(keys.iter().filter(|key| **key == first).count(), 1, "boards share a key");
    let bytes = STANDARD.decode(&first).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(bytes.len(), 32, "an Ed25519 public key");
    assert_eq!(member.device, name(&bytes), "the name is the digest of the key");

    cli.cut_power(&member.emulated());
    cli.wait(&member.object(), "jsonpath={.status.bootCount}=2");
    cli.wait(&member.object(), "condition=Connected");
    assert_eq!(key(cli, member), first, "the key survived");

    let fresh = format!("{}-fresh", member.name());
    let other = cli.boot_board(&fresh, member.name());
    assert_ne!(other, member.device, "another board of the same kind has another key");
    cli.wasmbed(&["delete", &format!("virtualdevice/{fresh}")]);
}

/// `d-` and 80 bits of the key's digest.
fn name(key: &[u8]) -> String {
    let digest = Sha256::digest(key);
    let letter = |index: usize| {
        let bits = (0..5).fold(0, |bits, bit| {
            let at = index * 5 + bit;
            bits << 1 | usize::from(digest[at / 8] >> (7 - at % 8) & 1)
        });
        char::from(BASE32[bits])
    };
    "d-".chars().chain((0..NAME_LETTERS).map(letter)).collect()
}
