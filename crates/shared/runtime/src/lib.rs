//! A device without its hardware: identity, session with the gateway, guests and what is kept of
//! them. No register, no interrupt, no socket: the same code runs on the boards, in the load
//! generator and in the seeded simulation of the tests.
//!
//! Many functions here are kept out of line: on the smallest board the deepest path must not carry
//! the frames of paths beside it.
#![cfg_attr(not(test), no_std)]

mod arena;
mod console;
mod core_state;
mod device;
mod digest;
mod guests;
mod host;
mod inbox;
mod install;
mod keys;
mod late;
pub mod limits;
mod loader;
#[cfg(feature = "local")]
mod local;
mod mail;
mod outbox;
mod platform;
mod queue;
mod reconcile;
mod session;
mod stopping;
mod store;
mod values;

pub use device::{Closed, Device, Memory, Next, StartError, Wants};
#[cfg(feature = "local")]
pub use local::Local;
pub use platform::{BoardFacts, BusError, EntropyError, Platform};
pub use wasmbed_image::Capability;
pub use wasmbed_wire::{FaultRecord, ResetReason, Station};
