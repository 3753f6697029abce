//! Work as a test puts it together, and batches of it as the runner wants them.

use wasmbed_engine_batch::layout::{MAGIC, RECORDS, VERSION};
use wasmbed_engine_batch::{Call, Item};

/// An image and what is to be called in it.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The image.
    pub image: Vec<u8>,
    /// What is called, in order, after the image's own beginning.
    pub calls: Vec<Invocation>,
    /// Fuel from load to end.
    pub fuel_limit: Option<u64>,
    /// What the limit is raised by when it is reached, and how often.
    pub cuts: Option<(u64, u32)>,
    /// Seed and longest length of the time slices.
    pub slices: Option<(u32, u32)>,
    /// Bytes between a boundary of 16 bytes and the arena, a multiple of 4 below 16.
    pub alignment: u32,
}

/// A call of one function.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Invocation {
    /// Number among the functions that the image defines.
    pub function: u16,
    /// Argument words, at most 127.
    pub arguments: Vec<u32>,
    /// Words of all results.
    pub result_words: u8,
    /// Whether there is more than one result.
    pub has_several: bool,
}

impl Work {
    /// Calls `body` with the work as an item.
    pub fn with_item<T>(&self, id: u32, body: impl FnOnce(&Item<'_>) -> T) -> T {
        let mut stored_calls = Vec::new();
        for call in &self.calls {
            let arguments: Vec<u8> =
                call.arguments.iter().flat_map(|word| word.to_le_bytes()).collect();
            let call = Call {
                function: call.function,
                result_words: call.result_words,
                has_several: call.has_several,
                arguments: &arguments,
            };
            stored_calls.extend(call.head().to_le_bytes());
            stored_calls.extend(&arguments);
        }
        let (fuel_step, cuts_max) = self.cuts.unwrap_or_default();
        let (slice_seed, slice_max) = self.slices.unwrap_or_default();
        body(&Item {
            id,
            fuel_limit: self.fuel_limit.unwrap_or(Item::NO_LIMIT),
            fuel_step,
            cuts_max,
            slice_seed,
            slice_max,
            alignment: self.alignment,
            image: &self.image,
            stored_calls: &stored_calls,
        })
    }
}

/// As much of the work as one batch takes: its bytes, and how many pieces they hold.
///
/// The id of each piece is its number in `works`.
pub fn batch(works: &[Work]) -> (Vec<u8>, usize) {
    let mut bytes: Vec<u8> =
        [MAGIC, VERSION, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut taken = 0;
    for (id, work) in works.iter().enumerate() {
        let before = bytes.len();
        work.with_item(id as u32, |item| {
            item.encode(|word| bytes.extend(word.to_le_bytes()));
        });
        if bytes.len() > RECORDS - 16 {
            bytes.truncate(before);
            break;
        }
        taken += 1;
    }
    bytes[8..12].copy_from_slice(&(taken as u32).to_le_bytes());
    (bytes, taken)
}
