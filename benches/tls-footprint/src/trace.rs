//! The operations on secrets alone, for comparing the instructions that different keys execute.

use core::hint::black_box;

use wasmbed_curve::{ed25519, x25519};

/// The keys: two extreme ones, and three ordinary ones. A table, so that choosing is no branch.
static SEEDS: [[u8; 32]; 5] = [
    [0; 32],
    [0xff; 32],
    *b"an ordinary key of thirty-two by",
    *b"another key, as ordinary as that",
    [0x80; 32],
];

/// Runs them with key `number`.
pub fn run(number: u8) {
    let Some(seed) = SEEDS.get(usize::from(number)) else { return verify(number) };
    let key = ed25519::Key::from_seed(black_box(seed));
    black_box(key.sign(&[b"the same message for every key"]));
    black_box(x25519::public_key(black_box(seed)));
    let mut peer = [0; 32];
    peer[0] = 9;
    black_box(x25519::shared(black_box(seed), &peer).is_some());
}

/// The control: verifying a signature takes a way that depends on it.
fn verify(number: u8) {
    let key = ed25519::Key::from_seed(&SEEDS[2]);
    let signature = key.sign(&[&[number]]);
    black_box(ed25519::verify(key.public(), &[&[number]], &signature).is_ok());
}
