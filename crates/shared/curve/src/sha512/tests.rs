//! SHA-512 against FIPS 180-4's examples and the sha2 crate.

use sha2::Digest;

use super::Sha512;
use crate::tests::{count, hex};

fn hash(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    let mut digest = [0; 64];
    hash.finish(&mut digest);
    digest
}

#[test]
fn hashes_abc_as_the_standard_shows() {
    assert_eq!(
        hash(&[b"abc"]),
        hex::<64>(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        )
    );
}

#[test]
fn agrees_with_sha2_at_every_length_up_to_four_blocks() {
    let message: Vec<u8> = (0..520_u32).map(|i| ((i * 31) >> 2) as u8).collect();
    for length in 0..=message.len() {
        let expected = sha2::Sha512::digest(&message[..length]);
        assert_eq!(hash(&[&message[..length]])[..], expected[..], "{length}");
    }
    count(message.len() + 1);
}

#[test]
fn the_split_of_a_message_into_parts_does_not_matter() {
    let message: Vec<u8> = (0..300_u32).map(|i| (i * 7) as u8).collect();
    let expected = hash(&[&message]);
    for cut in 0..=message.len() {
        let (head, tail) = message.split_at(cut);
        assert_eq!(hash(&[head, &[], tail]), expected, "{cut}");
    }
    count(message.len() + 1);
}
