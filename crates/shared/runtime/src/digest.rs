//! SHA-256 of an image that arrives in whole blocks: what is kept between two pieces is the state of
//! the hash alone, a third of what a general hash keeps.

use sha2::block_api::compress256;

#[cfg(test)]
mod tests;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64;

/// The state of a hash between two blocks.
#[derive(Clone, Copy, Debug)]
pub struct BlockHash([u32; 8]);

impl BlockHash {
    /// No hash: all zeros, for a static.
    pub const NONE: Self = Self([0; 8]);

    /// Before the first block.
    ///
    /// # Source
    /// FIPS 180-4, section 5.3.3.
    pub const START: Self = Self([
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ]);

    /// Takes whole blocks; bytes behind the last whole one are left out.
    pub fn update(&mut self, bytes: &[u8]) {
        compress256(&mut self.0, bytes.as_chunks().0);
    }

    /// The digest, given the bytes behind the last whole block and the length of everything.
    ///
    /// # Source
    /// FIPS 180-4, section 5.1.1.
    #[inline(never)]
    pub fn finish(mut self, bytes: &[u8], whole_bytes: u32) -> [u8; 32] {
        let rest = bytes.as_chunks::<BLOCK_BYTES>().1;
        let mut block = [0; BLOCK_BYTES];
        let mark = rest.iter().chain(&[0x80]);
        block.iter_mut().zip(mark).for_each(|(place, byte)| *place = *byte);
        if rest.len() >= BLOCK_BYTES - 8 {
            compress256(&mut self.0, &[block]);
            block = [0; BLOCK_BYTES];
        }
        if let Some(length) = block.last_chunk_mut() {
            *length = (u64::from(whole_bytes) * 8).to_be_bytes();
        }
        compress256(&mut self.0, &[block]);
        let mut digest = [0; 32];
        let bytes = self.0.iter().flat_map(|word| word.to_be_bytes());
        digest.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        digest
    }
}
