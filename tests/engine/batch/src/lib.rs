//! Work for the engine as bytes, done in the same way on the host and on a board, so that what came
//! of it can be compared word by word.
//!
//! Leaves out where the bytes are, what ends a time slice, and every judgement of the outcome.
#![no_std]

pub mod digest;
mod execute;
pub mod item;
pub mod layout;
pub mod record;

pub use execute::{Runner, arena_bytes, execute, memory_offset};
pub use item::{Call, Item};
