//! Where a guest works, between two canaries.

use crate::memory::PSRAM;
use wasmbed_engine_batch::layout::{ARENA, CANARY_BYTES, FILE_BYTES};

/// RAM above what the program itself has.
const RAM: core::ops::Range<usize> = 0x2004_0000..0x2040_0000;
/// The part of the PSRAM for what does not fit there.
const SPACE: core::ops::Range<usize> = PSRAM + ARENA..PSRAM + FILE_BYTES;

/// A place for one guest.
pub struct Place {
    /// Canary, arena, canary.
    whole: &'static mut [u8],
    before: usize,
    arena_bytes: usize,
}

impl Place {
    /// Room for `arena_bytes`, beginning `alignment` bytes behind a boundary of 16 bytes.
    pub fn new(arena_bytes: u64, alignment: usize) -> Option<Place> {
        let before = CANARY_BYTES + alignment;
        let arena_bytes = usize::try_from(arena_bytes).ok()?;
        let bytes = arena_bytes.checked_add(before + CANARY_BYTES)?;
        let range = [RAM, SPACE].into_iter().find(|range| bytes <= range.len())?;
        // SAFETY: the range is memory that nothing else uses, and the one place before is gone.
        let whole = unsafe { core::slice::from_raw_parts_mut(range.start as *mut u8, bytes) };
        let mut place = Place { whole, before, arena_bytes };
        for index in place.canaries() {
            place.whole[index] = canary(index);
        }
        // A guest must never see what the one before has left.
        for byte in place.arena() {
            *byte = 0xa7;
        }
        Some(place)
    }

    fn canaries(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.before).chain(self.before + self.arena_bytes..self.whole.len())
    }

    /// The arena.
    pub fn arena(&mut self) -> &mut [u8] {
        &mut self.whole[self.before..self.before + self.arena_bytes]
    }

    /// The first byte outside the arena that was written to: where, and what it is now.
    pub fn spoilt(&self) -> Option<(isize, u32)> {
        let index = self.canaries().find(|index| self.whole[*index] != canary(*index))?;
        Some((index as isize - self.before as isize, self.whole[index].into()))
    }
}

fn canary(index: usize) -> u8 {
    (index as u32).wrapping_mul(0x9e37_79b1).to_be_bytes()[0] | 1
}
