//! The operations on secrets alone, for comparing the instructions that different keys execute.

use core::hint::black_box;

use wasmbed_curve::{ed25519, x25519};

/// Runs them with key `number`.
pub fn run(number: u8) {
    // Two extreme keys, and ordinary ones.
    let seed = match number {
        0 => [0; 32],
        1 => [0xff; 32],
        _ => core::array::from_fn(|index| (index as u8).wrapping_mul(number).wrapping_add(number)),
    };
    let key = ed25519::Key::from_seed(black_box(&seed));
    black_box(key.sign(&[b"the same message for every key"]));
    black_box(x25519::public_key(black_box(&seed)));
    let mut peer = [0; 32];
    peer[0] = 9;
    black_box(x25519::shared(black_box(&seed), &peer).is_some());
}
