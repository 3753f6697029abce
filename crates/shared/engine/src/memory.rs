//! Checked access to slots, for what happens outside the innermost loop.
//!
//! A slot that does not exist reads as 0 and ignores writes: verified code names none, so this is
//! only what keeps unverified code harmless.
use core::cell::Cell;

/// The word at byte `start`.
#[inline(always)]
pub(crate) fn word(bytes: &[u8], start: usize) -> u32 {
    match bytes.get(start..).and_then(|tail| tail.first_chunk()) {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

/// Replaces the word at byte `start`.
#[inline(always)]
pub(crate) fn set_word(bytes: &mut [u8], start: usize, value: u32) {
    if let Some(word) = bytes.get_mut(start..).and_then(|tail| tail.first_chunk_mut()) {
        *word = value.to_le_bytes();
    }
}

/// Distance from which on parts are copied at once.
const PART_BYTES_MIN: usize = 16;

/// Moves bytes to where they may overlap themselves; does nothing if either place is not inside.
///
/// Not `copy_within`: that brings 1.6 KB of a general one along, and a way to panic.
#[inline(never)]
pub(crate) fn move_within(bytes: &mut [u8], from: usize, to: usize, count: usize) {
    let is_inside = from.max(to).checked_add(count).is_some_and(|end| end <= bytes.len());
    let distance = from.abs_diff(to);
    if !is_inside || distance == 0 {
        return;
    }
    if distance < PART_BYTES_MIN {
        return move_each(bytes, from, to, count);
    }
    // A part that is no longer than the distance does not overlap itself. Where the target is behind
    // the source, the last part goes first.
    let part_bytes = distance;
    let mut done = 0;
    while done < count {
        let part = part_bytes.min(count - done);
        let offset = if to > from { count - done - part } else { done };
        let (low, high) = (from.min(to) + offset, from.max(to) + offset);
        let halves = bytes.split_at_mut_checked(high);
        let parts = halves.map(|(front, behind)| (front.get_mut(low..low + part), behind));
        if let Some((Some(front), behind)) = parts {
            let pairs = front.iter_mut().zip(behind);
            if to > from {
                pairs.for_each(|(source, target)| *target = *source);
            } else {
                pairs.for_each(|(target, source)| *target = *source);
            }
        }
        done += part;
    }
}

/// Moves one byte after the other, in the order that spoils none.
fn move_each(bytes: &mut [u8], from: usize, to: usize, count: usize) {
    let cells = Cell::from_mut(bytes).as_slice_of_cells();
    let part = |begin: usize| cells.get(begin..)?.get(..count);
    let (Some(source), Some(target)) = (part(from), part(to)) else { return };
    let pairs = source.iter().zip(target);
    let copy = |(source, target): (&Cell<u8>, &Cell<u8>)| target.set(source.get());
    if to > from { pairs.rev().for_each(copy) } else { pairs.for_each(copy) }
}

#[cfg(test)]
mod tests;
