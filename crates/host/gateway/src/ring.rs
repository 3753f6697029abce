//! A bounded history with sequence numbers: the newest entries, and the truth about those dropped.
//!
//! What an entry is, and who waits for the next one, is the owner's business.

use std::collections::VecDeque;

#[cfg(test)]
mod tests;

/// What an entry weighs against the ring's bound.
pub(crate) trait Weigh {
    /// Bytes that the entry takes, its own size included.
    fn bytes(&self) -> usize;
}

/// The newest entries of a stream, numbered from 1 without a gap.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    entries: VecDeque<T>,
    /// Number of the first entry held.
    first_sequence: u64,
    bytes: usize,
    bytes_max: usize,
}

/// Part of a ring, as a reader gets it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Page<T> {
    /// Entries that the reader asked for and that are gone.
    pub(crate) dropped_count: u64,
    pub(crate) entries: Vec<(u64, T)>,
    /// What to ask for next.
    pub(crate) next_sequence: u64,
}

impl<T: Clone + Weigh> Ring<T> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entries: VecDeque::new(), first_sequence: 1, bytes: 0, bytes_max }
    }

    /// Number that the next entry will get.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.first_sequence + self.entries.len() as u64
    }

    /// The entry that was appended last, if it is still held.
    pub(crate) fn newest(&self) -> Option<&T> {
        self.entries.back()
    }

    /// Appends, and drops the oldest until the bound holds again.
    pub(crate) fn push(&mut self, entry: T) {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.bytes();
            self.first_sequence += 1;
        }
    }

    /// Up to `count_max` entries from number `sequence` on.
    pub(crate) fn read(&self, sequence: u64, count_max: usize) -> Page<T> {
        let sequence = sequence.max(1);
        let start = sequence.clamp(self.first_sequence, self.next_sequence());
        let skipped = usize::try_from(start - self.first_sequence).unwrap_or(usize::MAX);
        let entries: Vec<(u64, T)> =
            (start..).zip(self.entries.iter().skip(skipped).take(count_max).cloned()).collect();
        let next_sequence = start + entries.len() as u64;
        Page { dropped_count: start.saturating_sub(sequence), entries, next_sequence }
    }

    /// Number of the first of the last `count` entries.
    pub(crate) fn tail(&self, count: u64) -> u64 {
        self.next_sequence().saturating_sub(count).max(self.first_sequence)
    }
}
