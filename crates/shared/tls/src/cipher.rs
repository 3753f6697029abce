//! ChaCha20-Poly1305 as records use it, in a third of the stack that a general implementation takes:
//! the key stream is made block by block, and nothing is kept between two.
//!
//! # Source
//! RFC 8439.

use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

#[cfg(test)]
mod tests;

/// Bytes of the tag that ends an encrypted record.
pub(crate) const TAG_BYTES: usize = 16;

/// Bytes of one block of the key stream.
const BLOCK_BYTES: usize = 64;

/// Key and nonce of one record.
pub(crate) struct Cipher<'a> {
    pub(crate) key: &'a [u8; 32],
    pub(crate) nonce: &'a [u8; 12],
}

impl Cipher<'_> {
    /// Encrypts `content` in place; the tag vouches for it and for `head`.
    #[inline(never)]
    pub(crate) fn seal(&self, head: &[u8], content: &mut [u8]) -> [u8; TAG_BYTES] {
        self.mask(content);
        self.tag(head, content)
    }

    /// Decrypts `content` in place, if `tag` vouches for it and for `head`.
    #[inline(never)]
    pub(crate) fn open(&self, head: &[u8], content: &mut [u8], tag: &[u8; TAG_BYTES]) -> bool {
        let is_genuine = bool::from(self.tag(head, content).ct_eq(tag));
        if is_genuine {
            self.mask(content);
        }
        is_genuine
    }

    /// Adds the key stream from its second block on; the first one is for the tag.
    fn mask(&self, content: &mut [u8]) {
        let mut stream = [0; 16];
        for (number, block) in (1_u32..).zip(content.chunks_mut(BLOCK_BYTES)) {
            self.block(number, &mut stream);
            let stream = stream.iter().flat_map(|word| word.to_le_bytes());
            block.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        }
        stream.zeroize();
    }

    /// # Source
    /// RFC 8439, section 2.8.
    #[inline(never)]
    fn tag(&self, head: &[u8], content: &[u8]) -> [u8; TAG_BYTES] {
        let mut mac = Poly1305::new(&self.tag_key().into());
        mac.update_padded(head);
        mac.update_padded(content);
        let [lengths, rest] = [head.len() as u64, content.len() as u64].map(u64::to_le_bytes);
        let mut last = [0; 16];
        last.iter_mut().zip(lengths.iter().chain(&rest)).for_each(|(place, byte)| *place = *byte);
        mac.update(&[last.into()]);
        mac.finalize().into()
    }

    /// The first half of the first block of the key stream.
    #[inline(never)]
    fn tag_key(&self) -> [u8; 32] {
        let mut stream = [0; 16];
        self.block(0, &mut stream);
        let mut key = [0; 32];
        let bytes = stream.iter().flat_map(|word| word.to_le_bytes());
        key.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        stream.zeroize();
        key
    }

    /// Block `number` of the key stream. The state that it begins with is made twice rather than
    /// kept.
    ///
    /// # Source
    /// RFC 8439, section 2.3.
    #[inline(never)]
    fn block(&self, number: u32, stream: &mut [u32; 16]) {
        stream.iter_mut().zip(self.state(number)).for_each(|(place, word)| *place = word);
        for _ in 0..10 {
            let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = stream;
            quarter(a0, b0, c0, d0);
            quarter(a1, b1, c1, d1);
            quarter(a2, b2, c2, d2);
            quarter(a3, b3, c3, d3);
            quarter(a0, b1, c2, d3);
            quarter(a1, b2, c3, d0);
            quarter(a2, b3, c0, d1);
            quarter(a3, b0, c1, d2);
        }
        for (place, word) in stream.iter_mut().zip(self.state(number)) {
            *place = place.wrapping_add(word);
        }
    }

    /// The words of the state: constants, key, number of the block, nonce.
    fn state(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        let constants = words(b"expand 32-byte k");
        constants.chain(words(self.key)).chain([number]).chain(words(self.nonce))
    }
}

/// Little-endian words.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word))
}

/// # Source
/// RFC 8439, section 2.1.
#[inline(never)]
fn quarter(a: &mut u32, b: &mut u32, c: &mut u32, d: &mut u32) {
    *a = a.wrapping_add(*b);
    *d = (*d ^ *a).rotate_left(16);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_left(12);
    *a = a.wrapping_add(*b);
    *d = (*d ^ *a).rotate_left(8);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_left(7);
}
