//! The NOR flash of a board: a file, and the server that its third serial port talks to.

mod file;
mod server;
#[cfg(test)]
mod tests;

pub use file::{FlashError, FlashFile};
pub use server::{FlashCounters, FlashServer};
