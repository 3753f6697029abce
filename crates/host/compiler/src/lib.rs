//! WebAssembly in, bounded device image out: validates, lowers once, and proves what it needs.
//!
//! Leaves out signing and storing (`pki`, `controllers`) and executing (`engine`). Preparing is a
//! function of its arguments: the same module and options give the same bytes everywhere.
mod assembler;
mod cost;
mod depth;
mod error;
mod feature;
mod inspect;
pub mod limits;
mod lower;
mod module;
mod optimise;
mod prepare;

pub use error::{DoesNotFit, PrepareError};
pub use inspect::{Origin, disassemble, inspect, summary};
pub use module::Export;
pub use prepare::{Budget, Needs, Options, Prepared, prepare};
