//! The part of CBOR that messages and manifests are made of: integers, text, bytes, booleans, null,
//! arrays and maps of known length.
//!
//! Leaves out floating point, tags, and everything of unknown length: no sender here uses them, and
//! a reader refuses the last. It exists because derived decoders of a general library took 17 KB of
//! the smallest board's 128 KB of flash; see docs/decisions.
//!
//! # Source
//! RFC 8949, Concise Binary Object Representation, sections 3 and 4.1.
#![cfg_attr(not(test), no_std)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod reader;
mod record;
mod value;
mod writer;

pub use reader::Reader;
pub use value::Value;
pub use writer::Writer;

#[cfg(test)]
mod tests;
