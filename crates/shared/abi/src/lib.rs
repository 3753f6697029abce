//! Functions a guest may import, and the function it must export: names, numbers, types, capabilities.
//!
//! Leaves out what the functions do on a device: that is `runtime`'s. Pointers are offsets into the
//! guest's own linear memory, lengths are in bytes, text is UTF-8.
//!
//! A guest exports its entry as `run` or `_start`, without parameters and results. It ends when the
//! entry returns. A module that exports both is entered at `run`.
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod capability;
mod imports;
pub mod status;
pub mod wasi;

pub use capability::{ArgumentKind, Capability};
pub use imports::*;

use imports::TABLE;

/// Module name of every import that is not WASI.
pub const MODULE: &str = "wasmbed";

/// Module name of the imports of WASI preview 1.
pub const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// Names under which a guest may export its entry, in the order they are looked for.
pub const ENTRY_NAMES: [&str; 2] = ["run", "_start"];

/// Longest line that [`LOG`] keeps; the rest of the text is cut.
///
/// Chosen so that a line and its frame fit one message of the device protocol (480 bytes).
pub const LOG_BYTES_MAX: usize = 256;

/// Longest topic of a sample or a message.
///
/// Chosen so that a topic costs less than a tenth of a message.
pub const TOPIC_BYTES_MAX: usize = 32;

/// Longest payload of a message: with its topic and its frame it fits one message of the device
/// protocol.
pub const PAYLOAD_BYTES_MAX: usize = 256;

/// Longest key of a kept value: as long as the longest topic.
pub const KEY_BYTES_MAX: usize = 32;

/// Longest kept value: with key and application it fits one value of the journal.
pub const VALUE_BYTES_MAX: usize = 256;

/// Most bytes in each direction of one I2C transfer: at 100 kHz both take less than 6 ms.
pub const I2C_BYTES_MAX: usize = 32;

/// Most bytes that one call writes to or reads from a serial line, or writes to the log.
pub const STREAM_BYTES_MAX: usize = 256;

/// Most subscriptions of one [`POLL_ONEOFF`], and parts of one [`FD_WRITE`]. Chosen: the standard
/// library of Rust uses one, C programs a handful.
pub const VECTORS_MAX: u32 = 8;

/// A timeout that never ends.
pub const FOR_EVER: u32 = u32::MAX;

/// Most argument words that any import takes, where an `i64` counts as two.
pub const ARGUMENT_WORDS_MAX: usize = 5;

/// Type of a parameter or result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ValueType {
    /// 32-bit integer, one argument word.
    I32,
    /// 64-bit integer, two argument words, the low one first.
    I64,
}

impl ValueType {
    /// Argument words that a value of this type takes.
    pub const fn words(self) -> u16 {
        match self {
            ValueType::I32 => 1,
            ValueType::I64 => 2,
        }
    }
}

/// One function that a guest may import.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Import {
    /// Number in an image: never reused.
    pub number: u16,
    /// Module part of the import name.
    pub module: &'static str,
    /// Field part of the import name.
    pub name: &'static str,
    /// Parameters, in order.
    pub params: &'static [ValueType],
    /// Result, if there is one.
    pub result: Option<ValueType>,
    /// What must have been granted; nothing for calls that every guest may make.
    pub capability: Option<Capability>,
}

/// The import with this number.
pub fn import_by_number(number: u16) -> Option<&'static Import> {
    IMPORTS.iter().find(|import| import.number == number)
}

/// First number of the imports of [`WASI_MODULE`].
pub const WASI_FIRST: u16 = ARGS_SIZES_GET;

/// What the import with this number needs; `None` if there is no such import. A device needs no more
/// of the table than this.
pub fn need_of(number: u16) -> Option<Need> {
    let own = number.checked_sub(1);
    let index = match number.checked_sub(WASI_FIRST) {
        Some(index) => usize::from(index) + OWN_IMPORTS,
        None => own.map(usize::from).filter(|index| *index < OWN_IMPORTS)?,
    };
    NEEDS.get(index).copied()
}

/// What an import needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Need {
    /// Number of the capability.
    capability: u8,
    argument_words: u8,
}

impl Need {
    /// Nothing.
    const NOTHING: u8 = u8::MAX;

    /// Whether a guest with these capabilities, one bit each, may call it.
    pub const fn is_met_by(self, capabilities: u32) -> bool {
        self.capability == Self::NOTHING || capabilities & (1_u32 << (self.capability & 31)) != 0
    }

    /// Words of its arguments, where an `i64` counts as two.
    pub const fn argument_words(self) -> u32 {
        self.argument_words as u32
    }
}

/// Imports of [`MODULE`].
const OWN_IMPORTS: usize = STOP_REQUESTED as usize;

/// The needs of all imports, in the order of the table.
#[cfg_attr(not(test), expect(clippy::indexing_slicing, reason = "evaluated when this is compiled"))]
static NEEDS: [Need; TABLE.len()] = {
    let mut needs = [Need { capability: Need::NOTHING, argument_words: 0 }; TABLE.len()];
    let mut index = 0;
    while index < needs.len() {
        let Import { params, capability, .. } = TABLE[index];
        if let Some(capability) = capability {
            needs[index].capability = capability as u8;
        }
        let mut param = 0;
        while param < params.len() {
            needs[index].argument_words += params[param].words() as u8;
            param += 1;
        }
        index += 1;
    }
    needs
};

/// The import with this two-part name.
pub fn import_by_name(module: &str, name: &str) -> Option<&'static Import> {
    IMPORTS.iter().find(|import| import.module == module && import.name == name)
}

#[cfg(test)]
mod tests;
