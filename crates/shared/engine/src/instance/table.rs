//! Tables that change, and which segments were dropped: words of the arena between globals and memory.
//!
//! Leaves out the fixed table, which calls read in the image.
use super::LoadError;
use crate::memory::{move_within, set_word, word};
use wasmbed_image::{Image, NO_FUNCTION};

/// Where a table is in the state.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// Byte of the word that counts its elements; they are behind it.
    at: usize,
    pub(super) elements: u32,
    pub(super) elements_max: u32,
}

impl Table {
    /// The table with this number among those that change.
    pub(super) fn find(image: &Image<'_>, state: &[u8], number: u8) -> Option<Table> {
        let mut at = image.header.dropped_words() as usize * 4;
        for index in 0..u16::from(number) {
            at += (image.table(index)?.elements_max as usize + 1) * 4;
        }
        let elements_max = image.table(number.into())?.elements_max;
        Some(Table { at, elements: word(state, at).min(elements_max), elements_max })
    }

    /// The byte of the element with this index.
    fn element_at(self, index: u32) -> usize {
        self.at + 4 + index as usize * 4
    }

    /// The reference at `index`, if the table has that many.
    pub(super) fn element(self, state: &[u8], index: u32) -> Option<u32> {
        (index < self.elements).then(|| word(state, self.element_at(index)))
    }

    /// Sets `count` elements from `first` on, as far as there is room for them.
    pub(super) fn fill(self, state: &mut [u8], first: u32, count: u32, value: u32) {
        for index in first..first.saturating_add(count).min(self.elements_max) {
            set_word(state, self.element_at(index), value);
        }
    }

    /// Makes the table this long.
    pub(super) fn resize(self, state: &mut [u8], elements: u32) {
        set_word(state, self.at, elements);
    }

    /// Copies elements, all of which exist, from `source` of `from`; the two may overlap.
    pub(super) fn copy(self, state: &mut [u8], target: u32, from: Table, source: u32, count: u32) {
        let (from, to) = (from.element_at(source), self.element_at(target));
        move_within(state, from, to, count as usize * 4);
    }

    /// Sets elements from `first` on to the functions that `items` tells.
    pub(super) fn write(self, state: &mut [u8], first: u32, items: &[u8]) {
        for (item, index) in items.chunks_exact(2).zip(first..self.elements_max) {
            set_word(state, self.element_at(index), reference(item));
        }
    }
}

/// The reference to the function that an item tells.
fn reference(item: &[u8]) -> u32 {
    match item.first_chunk().copied().map_or(NO_FUNCTION, u16::from_le_bytes) {
        NO_FUNCTION => 0,
        function => u32::from(function) + 1,
    }
}

/// Whether a segment was dropped. Element segments are numbered behind the data segments.
pub(super) fn is_dropped(state: &[u8], segment: u32) -> bool {
    word(state, segment as usize / 32 * 4) & 1 << (segment % 32) != 0
}

/// Drops a segment.
pub(super) fn set_dropped(state: &mut [u8], segment: u32) {
    let at = segment as usize / 32 * 4;
    let bits = word(state, at) | 1 << (segment % 32);
    set_word(state, at, bits);
}

/// Checks every table and segment of an image.
///
/// # Errors
/// [`LoadError::Inconsistent`].
pub(super) fn check(image: &Image<'_>) -> Result<(), LoadError> {
    let header = &image.header;
    let is_function = |function: u16| function == NO_FUNCTION || function < header.functions;
    let are_functions = |items: &[u8]| {
        items.chunks_exact(2).all(|item| {
            is_function(item.first_chunk().copied().map_or(NO_FUNCTION, u16::from_le_bytes))
        })
    };
    let sound = |is_sound: bool| if is_sound { Ok(()) } else { Err(LoadError::Inconsistent) };
    for index in 0..u32::from(header.table_elements) {
        sound(image.table_element(index).is_some_and(is_function))?;
    }
    // An instruction names a table in one byte.
    sound(header.tables <= 1 << 8)?;
    let mut words = u64::from(header.dropped_words());
    for index in 0..header.tables {
        let table = image.table(index).ok_or(LoadError::Inconsistent)?;
        sound(table.items <= table.elements && table.elements <= table.elements_max)?;
        sound(image.table_items(&table).is_some_and(are_functions))?;
        words += u64::from(table.elements_max) + 1;
    }
    for index in 0..header.data_segments {
        sound(image.data_segment(index).is_some())?;
    }
    for index in 0..header.element_segments {
        sound(image.element_segment(index).is_some_and(are_functions))?;
    }
    sound(words == u64::from(header.state_words))
}

/// Gives the tables their first contents, in a state that is all 0.
pub(super) fn fill(image: &Image<'_>, state: &mut [u8]) {
    for number in 0..image.header.tables {
        let (Some(record), Some(table)) =
            (image.table(number), Table::find(image, state, number as u8))
        else {
            continue;
        };
        table.resize(state, record.elements);
        table.write(state, 0, image.table_items(&record).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
