//! A digest that is quick on a 32-bit core. It finds accidents, not adversaries.

/// Digest of a sequence of words; every change of a single word changes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest {
    lanes: [u32; 2],
}

impl Digest {
    /// Digest of nothing.
    pub const fn new() -> Digest {
        Digest { lanes: [0x243f_6a88, 0x85a3_08d3] }
    }

    /// Adds a word.
    #[inline(always)]
    pub fn word(&mut self, word: u32) {
        let [first, second] = self.lanes;
        self.lanes = [
            (first ^ word).wrapping_mul(0x9e37_79b1).rotate_left(13),
            (second.rotate_left(7) ^ word).wrapping_mul(0x85eb_ca77),
        ];
    }

    /// Adds bytes, and how many there were.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(4);
        for word in words.by_ref() {
            self.word(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }
        for byte in words.remainder() {
            self.word(u32::from(*byte));
        }
        self.word(bytes.len() as u32);
    }

    /// The digest so far.
    pub fn value(self) -> u64 {
        u64::from(self.lanes[0]) | u64::from(self.lanes[1]) << 32
    }
}

impl Default for Digest {
    fn default() -> Self {
        Digest::new()
    }
}

/// Digest of some bytes.
pub fn digest(bytes: &[u8]) -> u64 {
    let mut digest = Digest::new();
    digest.bytes(bytes);
    digest.value()
}
