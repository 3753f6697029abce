//! Ed25519 signatures, with messages given in parts. Pure Ed25519 only: no context, no prehash.

use zeroize::Zeroize;

use crate::edwards::{Niels, base_multiple, decode_negated, joint_multiple};
use crate::limits::{DIGEST_BYTES, KEY_BYTES, SIGNATURE_BYTES};
use crate::scalar;
use crate::sha512::hash;
use crate::x25519::clamp;

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
        base_multiple(&secret, &mut key.public);
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
        let mut signature = [0; SIGNATURE_BYTES];
        let mut nonce = [0; KEY_BYTES];
        self.nonce(parts, &mut nonce);
        if let ([point, scalar], _) = signature.as_chunks_mut() {
            base_multiple(&nonce, point);
            let challenge = Challenge::of(point, &self.public, parts);
            self.answer(&challenge, &nonce, scalar);
        }
        nonce.zeroize();
        signature
    }

    /// The secret scalar; `digest` is left holding it and the prefix of the nonce.
    #[inline(never)]
    fn expand(&self, digest: &mut [u8; DIGEST_BYTES]) -> [u8; KEY_BYTES] {
        hash(&[&self.seed], &[], digest);
        let (secret, _) = halves(digest);
        let mut secret = *secret;
        clamp(&mut secret);
        secret
    }

    /// The secret number that a signature of `parts` hides the key behind.
    #[inline(never)]
    fn nonce(&self, parts: &[&[u8]], nonce: &mut [u8; KEY_BYTES]) {
        let mut digest = [0; DIGEST_BYTES];
        self.expand(&mut digest).zeroize();
        let (_, prefix) = halves(&digest);
        nonce.copy_from_slice(prefix);
        hash(&[nonce], parts, &mut digest);
        *nonce = scalar::reduce(&digest);
        digest.zeroize();
    }

    /// The second half of a signature. The secret scalar is derived a second time rather than kept
    /// over the multiplication: less stack.
    #[inline(never)]
    fn answer(&self, challenge: &Challenge, nonce: &[u8; KEY_BYTES], scalar: &mut [u8; KEY_BYTES]) {
        let mut digest = [0; DIGEST_BYTES];
        let mut secret = self.expand(&mut digest);
        *scalar = scalar::multiply_add(&secret, &challenge.0, nonce);
        secret.zeroize();
        digest.zeroize();
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
        let (point, _) = halves(signature);
        Self::of(point, public, parts)
    }

    #[inline(never)]
    fn of(point: &[u8; KEY_BYTES], public: &[u8; KEY_BYTES], parts: &[&[u8]]) -> Self {
        let mut digest = [0; DIGEST_BYTES];
        hash(&[point, public], parts, &mut digest);
        Self(scalar::reduce(&digest))
    }

    /// The second half of [`verify`], for the same `public` and `signature`.
    ///
    /// # Errors
    /// As [`verify`].
    #[inline(never)]
    pub fn verify(
        &self,
        public: &[u8; KEY_BYTES],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), VerifyError> {
        let (expected, scalar) = halves(signature);
        if !scalar::is_canonical(scalar) {
            return Err(VerifyError::Signature);
        }
        let mut negative = Niels::NEUTRAL;
        if !decode_negated(public, &mut negative) {
            return Err(VerifyError::PublicKey);
        }
        let mut point = [0; KEY_BYTES];
        joint_multiple(scalar, &self.0, &negative, &mut point);
        if point == *expected { Ok(()) } else { Err(VerifyError::Signature) }
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
fn halves(bytes: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    // The array is long enough for both, so the zeros never stand in.
    let low = bytes.first_chunk().unwrap_or(&[0; 32]);
    let high = bytes.last_chunk().unwrap_or(&[0; 32]);
    (low, high)
}

#[cfg(test)]
mod tests;
