//! Checked access to slots, for what happens outside the innermost loop.
//!
//! A slot that does not exist reads as 0 and ignores writes: verified code names none, so this is
//! only what keeps unverified code harmless.

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
