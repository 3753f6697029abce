//! Messages between a device and its gateway, as CBOR with integer keys.
//!
//! The specification is `docs/protocol.md`. Left out on purpose: who may send what and when (that is
//! the session in `runtime` and `gateway`), and TLS.
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod codes;
mod device;
mod frame;
pub mod fuzzing;
mod gateway;
mod ids;
pub mod limits;
mod message;
mod provisioning;
mod seq;

pub use codes::{CommandOutcome, GuestReason, GuestState, RefusedReason, ResetReason};
pub use device::{
    Budget, CommandResult, Counters, Enroll, FaultRecord, GuestCounters, Heartbeat, Hello,
    InstallRequest, Log, Message, StateReport, Telemetry,
};
pub use frame::{FrameError, Frames, encode_frame};
pub use gateway::{
    AppCommand, Command, Deliver, DesiredEntry, DesiredState, EnrollRequired, Install,
    InstallChunk, Refused, Welcome,
};
pub use ids::{AppId, Digest, PublicKey};
pub use message::{DecodeError, DeviceMessage, EncodeError, GatewayMessage};
pub use provisioning::{Provisioning, Station};
pub use seq::{Seq, SeqIter};

/// Major version of the protocol, as in the ALPN names.
pub const MAJOR: u8 = 1;
/// Newest minor version this build speaks.
pub const MINOR: u8 = 1;
/// Oldest minor version in which a device sends Message and takes Deliver.
pub const MINOR_MESSAGES: u8 = 1;
/// Bit of Hello's `host_calls` for WASI preview 1: no capability has this number.
pub const HOST_WASI: u32 = 1 << 31;
/// ALPN name of a session whose records are at most 512 bytes on the wire, header included.
pub const ALPN_512: &str = "wasmbed/1-512";

#[cfg(test)]
mod tests;
