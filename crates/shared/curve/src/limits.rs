//! Sizes fixed by the algorithms. Nothing here grows with input.

/// Bytes of a field element, a scalar, a public key or a seed.
///
/// # Source
/// RFC 8032, section 5.1, and RFC 7748, section 5: both curves live over 255 bits.
pub const KEY_BYTES: usize = 32;

/// Bytes of an Ed25519 signature: the point R, then the scalar s.
///
/// # Source
/// RFC 8032, section 5.1.6.
pub const SIGNATURE_BYTES: usize = 64;

/// Bytes of a SHA-512 digest.
///
/// # Source
/// FIPS 180-4, figure 1.
pub const DIGEST_BYTES: usize = 64;
