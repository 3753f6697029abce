//! A device without its hardware: identity, session with the gateway, guests and what is kept of
//! them. No register, no interrupt, no socket: the same code runs on the boards, in the load
//! generator and in the seeded simulation of the tests.
#![cfg_attr(not(test), no_std)]

pub mod device;
pub mod limits;
pub mod platform;

pub use device::{Closed, Device, Memory, Next, StartError, Wants};
pub use platform::{BoardFacts, EntropyError, Platform, ResetReason};
