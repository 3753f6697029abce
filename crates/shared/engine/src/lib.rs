//! Executes prepared images: verifies their byte code, then runs it in an arena the caller gives.
//!
//! Leaves out what imports do (the caller is the [`Host`]) and when a guest may run. No allocation,
//! no clock, no interrupt: the caller sets a flag when a time slice is over.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg_attr(thumb_core, expect(dead_code, reason = "the core has its own"))]
mod arith;
mod cold;
mod execute;
mod float;
mod host;
mod instance;
pub mod limits;
mod memory;
mod opcodes;
mod outcome;
#[cfg(feature = "profile")]
pub mod profile;
#[cfg_attr(thumb_core, expect(dead_code, reason = "the core has its own"))]
mod raw;
mod stop;
#[cfg(thumb_core)]
mod thumb;
mod verify;

pub use host::{Args, Host, HostOutcome, guest_slice};
pub use instance::{Instance, LoadError, RUN, Run};
pub use opcodes::{ColdOpcode, Opcode, Operand, Operands};
pub use outcome::{Outcome, Place, Trap};
pub use stop::Stop;
#[cfg(thumb_core)]
pub use thumb::{ExceptionFrame, preempt};
pub use verify::{CodeFault, CodeFaultKind, FunctionHeader};
