//! Numbers that are drawn, from a seed that a failure tells.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A seeded generator.
///
/// # Source
/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", figure 15 (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

/// The seed of this run: the one it was given, or a fresh one.
///
/// # Panics
/// If what it was given is no number.
pub fn seed() -> u64 {
    let seed = match std::env::var("WASMBED_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{text}: {error}")),
        Err(_) => RandomState::new().hash_one(0),
    };
    println!("\nfigure: seed of the faults: {seed}");
    seed
}

impl Chance {
    /// A generator of its own for each name.
    pub fn new(seed: u64, name: &str) -> Self {
        Self(name.bytes().fold(seed, |state, byte| state.rotate_left(7) ^ u64::from(byte)))
    }

    /// A moment within a span.
    pub fn within(&mut self, span: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let draw = u32::try_from((mixed ^ mixed >> 31) >> 32).unwrap_or_default();
        span.mul_f64(f64::from(draw) / f64::from(u32::MAX))
    }
}
