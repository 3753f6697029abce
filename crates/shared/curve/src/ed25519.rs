//! Ed25519 signatures, with messages given in parts. Pure Ed25519 only: no context, no prehash.

use zeroize::Zeroize;

use crate::edwards::{Point, decode_negated};
use crate::limits::{DIGEST_BYTES, KEY_BYTES, SIGNATURE_BYTES};
use crate::scalar;
use crate::sha512::Sha512;
use crate::x25519::clamp;

#[cfg(test)]
mod tests;

/// Why a signature was not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VerifyError {
    /// The signature was not made by this key over this message, or its scalar is not canonical.
    Signature,
    /// The public key is not the canonical encoding of a point.
    PublicKey,
}

/// A private key with its public key, wiped when dropped.
///
/// The two are kept together because a signature made with a foreign public key gives the private
/// one away.
pub struct Key {
    seed: [u8; KEY_BYTES],
    public: [u8; KEY_BYTES],
}

impl Key {
    /// The key of a seed of 32 random bytes. Costs about 1 M instructions: make it once.
    ///
    /// # Source
    /// RFC 8032, section 5.1.5.
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        let mut key = Self { seed: *seed, public: [0; KEY_BYTES] };
        let mut digest = [0; DIGEST_BYTES];
        let mut secret = key.expand(&mut digest);
        Point::base_multiple(&secret).encode(&mut key.public);
        secret.zeroize();
        digest.zeroize();
        key
    }

    /// The public key.
    pub const fn public(&self) -> &[u8; KEY_BYTES] {
        &self.public
    }

    /// Signs the message that `parts` make up together. Deterministic, constant time.
    ///
    /// # Source
    /// RFC 8032, section 5.1.6.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; SIGNATURE_BYTES] {
        let mut nonce = self.nonce(parts);
        let mut point = [0; KEY_BYTES];
        Point::base_multiple(&nonce).encode(&mut point);
        let challenge = Challenge::of(&point, &self.public, parts);
        // Derived a second time rather than kept over the multiplication: less stack.
        let mut digest = [0; DIGEST_BYTES];
        let mut secret = self.expand(&mut digest);
        let scalar = scalar::multiply_add(&secret, &challenge.0, &nonce);
        secret.zeroize();
        digest.zeroize();
        nonce.zeroize();
        join(&point, &scalar)
    }

    /// The secret scalar; `digest` is left holding it and the prefix of the nonce.
    fn expand(&self, digest: &mut [u8; DIGEST_BYTES]) -> [u8; KEY_BYTES] {
        let mut hash = Sha512::new();
        hash.update(&self.seed);
        hash.finish(digest);
        let (mut secret, _) = split(digest);
        clamp(&mut secret);
        secret
    }

    /// The secret number that a signature of `parts` hides the key behind.
    fn nonce(&self, parts: &[&[u8]]) -> [u8; KEY_BYTES] {
        let mut digest = [0; DIGEST_BYTES];
        self.expand(&mut digest).zeroize();
        let (_, mut prefix) = split(&digest);
        let mut hash = Sha512::new();
        hash.update(&prefix);
        prefix.zeroize();
        for part in parts {
            hash.update(part);
        }
        hash.finish(&mut digest);
        let nonce = scalar::reduce(&digest);
        digest.zeroize();
        nonce
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// The hash that ties a signature to its key and message. With it, the message may be forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Challenge([u8; KEY_BYTES]);

impl Challenge {
    /// The challenge of `signature` by the owner of `public` over the message in `parts`.
    pub fn new(
        public: &[u8; KEY_BYTES],
        parts: &[&[u8]],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Self {
        let (point, _) = split(signature);
        Self::of(&point, public, parts)
    }

    fn of(point: &[u8; KEY_BYTES], public: &[u8; KEY_BYTES], parts: &[&[u8]]) -> Self {
        let mut hash = Sha512::new();
        hash.update(point);
        hash.update(public);
        for part in parts {
            hash.update(part);
        }
        let mut digest = [0; DIGEST_BYTES];
        hash.finish(&mut digest);
        Self(scalar::reduce(&digest))
    }

    /// The second half of [`verify`], for the same `public` and `signature`.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(
        &self,
        public: &[u8; KEY_BYTES],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), VerifyError> {
        let (expected, scalar) = split(signature);
        if !scalar::is_canonical(&scalar) {
            return Err(VerifyError::Signature);
        }
        let negative = decode_negated(public).ok_or(VerifyError::PublicKey)?;
        let mut point = [0; KEY_BYTES];
        Point::joint_multiple(&scalar, &self.0, &negative).encode(&mut point);
        if point == expected { Ok(()) } else { Err(VerifyError::Signature) }
    }
}

/// Checks that the owner of `public` signed the message that `parts` make up. Variable time.
///
/// Without cofactor, as most implementations: a point R that is not encoded canonically never
/// matches. Keys of small order are not refused, so `public` must be one that its owner vouches for.
///
/// # Errors
/// [`VerifyError::PublicKey`] or [`VerifyError::Signature`].
///
/// # Source
/// RFC 8032, section 5.1.7.
pub fn verify(
    public: &[u8; KEY_BYTES],
    parts: &[&[u8]],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), VerifyError> {
    Challenge::new(public, parts, signature).verify(public, signature)
}

/// The two halves of a signature or a digest.
fn split(bytes: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let mut halves = ([0; 32], [0; 32]);
    for (index, byte) in bytes.iter().enumerate() {
        let half = if index < 32 { &mut halves.0 } else { &mut halves.1 };
        if let Some(slot) = half.get_mut(index % 32) {
            *slot = *byte;
        }
    }
    halves
}

fn join(low: &[u8; 32], high: &[u8; 32]) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (slot, byte) in bytes.iter_mut().zip(low.iter().chain(high)) {
        *slot = *byte;
    }
    bytes
}
