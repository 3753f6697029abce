//! TLS 1.3 client: bytes in, bytes out, in about 1.2 KB, one bounded step of work at a time.
//!
//! One cipher suite (ChaCha20-Poly1305), one group (X25519), one signature scheme (Ed25519); the
//! client shows a raw public key (RFC 7250), the server one X.509 leaf below a pinned authority.
//! Left out, so that they cannot go wrong: resumption, 0-RTT, other versions, certificate chains,
//! sockets, clocks and random numbers; the caller gives the last two.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod bytes;
mod certificate;
mod cipher;
mod client;
mod error;
mod flight;
pub mod fuzzing;
mod hello;
pub mod limits;
mod record;
mod schedule;

#[cfg(feature = "keylog")]
pub mod keylog;

pub use certificate::Validity;
pub use client::{Client, Closed, Config, State};
pub use error::Error;
