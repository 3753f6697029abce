//! What a device is sent to run a guest: the image body's header, and the manifest that is signed.
//!
//! Leaves out the byte code itself (`engine` verifies and executes it), digests and signatures
//! (`curve` on the device, `pki` on the host): this crate only says which bytes are meant.
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(test)]
extern crate std;

pub mod grants;
mod header;
pub mod limits;
mod manifest;

pub use grants::{Argument, Grant, GrantError, GrantList, Grants, Rate, RateUnit};
pub use header::{
    FORMAT_LOWERED_V1, FunctionRecord, Header, Image, ImageError, NO_FUNCTION, TableRecord, VERSION,
};
pub use manifest::{
    Config, DecodeError, EncodeError, Limits, Manifest, RestartPolicy, SIGNED_PREFIX,
    signed_message,
};
pub use wasmbed_abi::Capability;
