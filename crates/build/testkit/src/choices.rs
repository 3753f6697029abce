//! Repeatable choices.

/// A small generator (xorshift): the same seed makes the same choices. Nothing here is secret.
#[derive(Clone, Debug)]
pub struct Choices(u64);

impl Choices {
    /// The choices of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        if bound == 0 { 0 } else { (self.0 >> 11) % bound }
    }

    /// Fills `target`.
    pub fn fill(&mut self, target: &mut [u8]) {
        target.iter_mut().for_each(|byte| *byte = self.below(256) as u8);
    }
}
