//! X25519, Ed25519 and SHA-512 in 1 KB of stack, on formally verified field operations.
//!
//! Field arithmetic is fiat-crypto's; ladder, comb, point formulas, scalars and SHA-512 are composed
//! here because what exists needs several times the stack. Left out: batch verification, prehashed
//! Ed25519ph, X.509, key storage, randomness.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod comb;
pub mod ed25519;
mod edwards;
mod field;
pub mod limits;
mod scalar;
pub mod sha512;
pub mod x25519;

#[cfg(test)]
mod tests;
