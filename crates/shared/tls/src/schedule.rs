//! The key schedule of TLS 1.3 without pre-shared keys: secrets, labels, traffic keys.

use sha2::block_api::compress256;
use zeroize::Zeroize;

#[cfg(test)]
mod tests;

/// Bytes of a secret, a transcript hash or a Finished value.
pub(crate) const HASH_BYTES: usize = 32;

/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// A secret or a hash.
pub(crate) type Hash = [u8; HASH_BYTES];

/// SHA-256 of nothing: the transcript where a derivation has none.
const EMPTY_HASH: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The secret derived from an early secret of zeros: constant where no pre-shared key is.
///
/// # Source
/// RFC 8448, section 3, "derived secret for handshake".
const DERIVED_EARLY: Hash = [
    0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5, 0x67, 0x8f, 0x54, 0xfc, 0x9d, 0xba, 0xb6, 0x97,
    0x16, 0xc0, 0x76, 0x18, 0x9c, 0x48, 0x25, 0x0c, 0xeb, 0xea, 0xc3, 0x57, 0x6c, 0x36, 0x11, 0xba,
];

/// The handshake secret, given the agreed X25519 secret.
pub(crate) fn handshake_secret(agreed: &Hash) -> Hash {
    hmac(&DERIVED_EARLY, &[agreed])
}

/// The master secret, given the handshake secret.
pub(crate) fn master_secret(handshake: &Hash) -> Hash {
    let mut derived = derive(handshake, b"derived", &EMPTY_HASH);
    let master = hmac(&derived, &[&[0; HASH_BYTES]]);
    derived.zeroize();
    master
}

/// Derive-Secret with the hash of the transcript instead of its messages.
///
/// # Source
/// RFC 8446, section 7.1.
pub(crate) fn derive(secret: &Hash, label: &[u8], transcript: &Hash) -> Hash {
    expand(secret, label, transcript, HASH_BYTES as u16)
}

/// The MAC of a Finished message.
///
/// # Source
/// RFC 8446, section 4.4.4.
pub(crate) fn finished(base: &Hash, transcript: &Hash) -> Hash {
    let mut key = expand(base, b"finished", &[], HASH_BYTES as u16);
    let mac = hmac(&key, &[transcript]);
    key.zeroize();
    mac
}

/// The secret that follows `secret` after a KeyUpdate.
///
/// # Source
/// RFC 8446, section 7.2.
pub(crate) fn next_secret(secret: &Hash) -> Hash {
    expand(secret, b"traffic upd", &[], HASH_BYTES as u16)
}

/// Key, nonce mask and counter of one direction.
pub(crate) struct TrafficKeys {
    pub(crate) key: [u8; 32],
    pub(crate) iv: [u8; 12],
    pub(crate) is_set: bool,
    pub(crate) sequence: u64,
}

impl TrafficKeys {
    /// No keys yet.
    pub(crate) const fn new() -> Self {
        Self { key: [0; 32], iv: [0; 12], is_set: false, sequence: 0 }
    }

    /// Becomes the keys of a traffic secret. In place: a value returned would be on the stack twice.
    ///
    /// # Source
    /// RFC 8446, section 7.3.
    #[inline(never)]
    pub(crate) fn set(&mut self, secret: &Hash) {
        // The key's place takes the nonce mask first: no secret then passes over the stack.
        self.key = expand(secret, b"iv", &[], 12);
        for (target, byte) in self.iv.iter_mut().zip(&self.key) {
            *target = *byte;
        }
        self.key = expand(secret, b"key", &[], 32);
        self.sequence = 0;
        self.is_set = true;
    }

    /// Forgets the keys.
    pub(crate) fn wipe(&mut self) {
        self.key.zeroize();
        self.iv.zeroize();
        self.is_set = false;
    }

    /// The nonce of the next record, counted.
    ///
    /// # Source
    /// RFC 8446, section 5.3. 2^64 records never happen, so the counter does not wrap.
    pub(crate) fn next_nonce(&mut self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, count) in nonce.iter_mut().skip(4).zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence = self.sequence.wrapping_add(1);
        nonce
    }
}

/// HKDF-Expand-Label for at most one block of output; what is past `bytes` is not to be used.
///
/// # Source
/// RFC 8446, section 7.1; RFC 5869, section 2.3.
#[inline(never)]
fn expand(secret: &Hash, label: &[u8], context: &[u8], bytes: u16) -> Hash {
    let label_bytes = (6 + label.len()) as u8;
    hmac(
        secret,
        &[
            &bytes.to_be_bytes(),
            &[label_bytes],
            b"tls13 ",
            label,
            &[context.len() as u8],
            context,
            &[1],
        ],
    )
}

/// HMAC-SHA-256, which is HKDF-Extract as well. On the bare compression function: a general hash takes
/// three times the stack, and this is a deep place of a handshake.
///
/// # Source
/// RFC 2104, section 2, for keys shorter than a block.
fn hmac(key: &Hash, parts: &[&[u8]]) -> Hash {
    let inner = keyed_hash(key, 0x36, parts);
    keyed_hash(key, 0x5c, &[&inner])
}

/// The hash of a key, padded to a block and masked by `pad`, and what follows it.
///
/// # Source
/// FIPS 180-4, sections 5.1.1, 5.3.3 and 6.2.
#[inline(never)]
fn keyed_hash(key: &Hash, pad: u8, parts: &[&[u8]]) -> Hash {
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut block = [pad; BLOCK_BYTES];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place ^= byte);
    compress256(&mut state, &[block]);
    let mut used = 0;
    for byte in parts.iter().copied().flatten() {
        if let Some(place) = block.get_mut(used % BLOCK_BYTES) {
            *place = *byte;
        }
        used += 1;
        if used % BLOCK_BYTES == 0 {
            compress256(&mut state, &[block]);
        }
    }
    let (_, free) = block.split_at_mut(used % BLOCK_BYTES);
    free.fill(0);
    if let Some(mark) = free.first_mut() {
        *mark = 0x80;
    }
    if free.len() < 1 + 8 {
        compress256(&mut state, &[block]);
        block = [0; BLOCK_BYTES];
    }
    if let Some(length) = block.last_chunk_mut() {
        *length = ((BLOCK_BYTES + used) as u64 * 8).to_be_bytes();
    }
    compress256(&mut state, &[block]);
    block.zeroize();
    let mut hash = [0; HASH_BYTES];
    let bytes = state.iter().flat_map(|word| word.to_be_bytes());
    hash.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    hash
}
