//! What is written down about items: words, each record beginning with its kind.
//!
//! Leaves out time and slices, which differ from run to run; the board tells them at the end.
use wasmbed_engine::{LoadError, Outcome};

/// An item begins: its id.
pub const BEGIN: u32 = 0xb0;
/// Its image was refused: why, in two words.
pub const REFUSED: u32 = 0xb1;
/// A call ended: kind and code of the outcome, function and offset of its place, fuel used (2), cuts,
/// digest of the cuts (2), number of result words and those.
pub const CALL: u32 = 0xb2;
/// An item ended: bytes of memory, digest of the memory (2), digest of everything between stack and
/// memory and of the imports that were called (2).
pub const END: u32 = 0xb3;
/// Something wrote outside the arena: offset from its begin, what was there.
pub const SPOILT: u32 = 0xb4;
/// The board cannot hold the arena: bytes needed.
pub const TOO_LARGE: u32 = 0xb5;
/// The board itself failed: what, and four words about it.
pub const FAULT: u32 = 0xb6;
/// All items are done: slices taken, of these ended in the core, and in another interrupt's handler,
/// nested interrupts, bytes of stack used.
pub const DONE: u32 = 0xb7;

/// Takes words of records.
pub trait Sink {
    /// Adds a word.
    fn word(&mut self, word: u32);

    /// Everything before is complete and may be read.
    fn publish(&mut self) {}

    /// Adds a record.
    fn record(&mut self, kind: u32, words: &[u32]) {
        self.word(kind);
        for word in words {
            self.word(*word);
        }
        self.publish();
    }
}

/// Kind, code, function and offset of an outcome.
pub fn outcome_words(outcome: Outcome) -> [u32; 4] {
    match outcome {
        Outcome::Finished => [1, 0, 0, 0],
        Outcome::Exited(code) => [2, code, 0, 0],
        Outcome::OutOfFuel(place) => [3, 0, place.function.into(), place.offset],
        Outcome::Trapped(trap, place) => [4, trap as u32, place.function.into(), place.offset],
        Outcome::Parked => [5, 0, 0, 0],
        Outcome::SliceEnd => [6, 0, 0, 0],
    }
}

/// Why an image was refused, as two words.
pub fn refusal_words(error: LoadError) -> [u32; 2] {
    match error {
        LoadError::Image(_) => [1, 0],
        LoadError::Code(fault) => [2 | (fault.kind as u32) << 8, fault.offset],
        LoadError::ArenaTooSmall { needed_bytes, .. } => [3, needed_bytes as u32],
        _ => [4, 0],
    }
}
