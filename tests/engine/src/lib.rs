//! The engine against the official suite, other engines and damaged images, on the host and on
//! emulated boards. Leaves out what single opcodes do: the compiler's own tests show that.

pub mod board;
pub mod campaign;
pub mod differential;
pub mod host;
pub mod mutation;
pub mod report;
pub mod suite;
pub mod work;
