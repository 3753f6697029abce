//! Framing for the serial lines of a device: the flash line, and the uplink of boards without Ethernet.
//!
//! Left out: the UART itself, time and randomness. Bytes, nonces and time-outs come from the caller.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod crc;
pub mod flash;
pub mod fuzzing;

pub mod limits;
pub mod uplink;
