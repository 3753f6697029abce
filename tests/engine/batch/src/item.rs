//! One piece of work: an image and what is to be called in it.

/// An image, the calls to make in it, and how it is to be disturbed meanwhile.
///
/// # Layout
/// Words: number of words in all, id, fuel limit (2), fuel step (2), cuts, seed of the slices, ticks
/// of the longest slice, alignment, bytes of the image, number of calls. Then each call: function in
/// bits 15:0, argument words in 22:16, whether there are several results in 23, result words in
/// 31:24, and the arguments. Then the image, filled up to a word.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Number that its records carry.
    pub id: u32,
    /// Fuel from load to end; [`Item::NO_LIMIT`] for none.
    pub fuel_limit: u64,
    /// What the limit is raised by when it is reached; 0 ends the call instead.
    pub fuel_step: u64,
    /// How often it is raised.
    pub cuts_max: u32,
    /// Seed of the time slices' lengths; 0 for no slices.
    pub slice_seed: u32,
    /// Length of the longest slice: ticks of the board's timer, back-edges and calls on the host.
    pub slice_max: u32,
    /// Bytes between a boundary of 16 bytes and the arena, a multiple of 4.
    pub alignment: u32,
    /// The image.
    pub image: &'a [u8],
    /// Calls as they are stored, see [`Item::calls`].
    pub stored_calls: &'a [u8],
}

/// A function to call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Number among the functions that the image defines.
    pub function: u16,
    /// Words of all results.
    pub result_words: u8,
    /// Whether there is more than one result: then they are left elsewhere.
    pub has_several: bool,
    /// Arguments as stored: little-endian words.
    pub arguments: &'a [u8],
}

/// Words of an item before its calls.
pub const HEAD_WORDS: usize = 12;

impl<'a> Item<'a> {
    /// In place of a fuel limit.
    pub const NO_LIMIT: u64 = u64::MAX;

    /// The item at the front of `bytes`, and the bytes behind it.
    pub fn decode(bytes: &'a [u8]) -> Option<(Item<'a>, &'a [u8])> {
        let item_bytes = (word(bytes, 0)? as usize).checked_mul(4)?;
        let (stored, rest) = bytes.split_at_checked(item_bytes)?;
        let long = |index: usize| {
            Some(u64::from(word(stored, index)?) | u64::from(word(stored, index + 1)?) << 32)
        };
        let mut at = HEAD_WORDS;
        for _ in 0..word(stored, 11)? {
            at += 1 + argument_words(word(stored, at)?);
        }
        let image = stored.get(at * 4..)?.get(..word(stored, 10)? as usize)?;
        let item = Item {
            id: word(stored, 1)?,
            fuel_limit: long(2)?,
            fuel_step: long(4)?,
            cuts_max: word(stored, 6)?,
            slice_seed: word(stored, 7)?,
            slice_max: word(stored, 8)?,
            alignment: word(stored, 9)? & 12,
            image,
            stored_calls: stored.get(HEAD_WORDS * 4..at * 4)?,
        };
        Some((item, rest))
    }

    /// Writes the item with `emit`, word by word.
    pub fn encode(&self, mut emit: impl FnMut(u32)) {
        let image_words = self.image.len().div_ceil(4);
        emit((HEAD_WORDS + self.stored_calls.len() / 4 + image_words) as u32);
        emit(self.id);
        for long in [self.fuel_limit, self.fuel_step] {
            emit(long as u32);
            emit((long >> 32) as u32);
        }
        emit(self.cuts_max);
        emit(self.slice_seed);
        emit(self.slice_max);
        emit(self.alignment);
        emit(self.image.len() as u32);
        emit(self.calls().count() as u32);
        for part in [self.stored_calls, self.image] {
            for chunk in part.chunks(4) {
                let mut bytes = [0; 4];
                bytes[..chunk.len()].copy_from_slice(chunk);
                emit(u32::from_le_bytes(bytes));
            }
        }
    }

    /// The calls in order.
    pub fn calls(&self) -> impl Iterator<Item = Call<'a>> + use<'a> {
        let mut rest = self.stored_calls;
        core::iter::from_fn(move || {
            let head = word(rest, 0)?;
            let (arguments, tail) = rest.get(4..)?.split_at_checked(argument_words(head) * 4)?;
            rest = tail;
            Some(Call {
                function: head as u16,
                result_words: (head >> 24) as u8,
                has_several: head & SEVERAL != 0,
                arguments,
            })
        })
    }
}

impl Call<'_> {
    /// The word that the call is stored with, before its arguments.
    pub fn head(&self) -> u32 {
        u32::from(self.function)
            | ((self.arguments.len() / 4) as u32 % 0x80) << 16
            | if self.has_several { SEVERAL } else { 0 }
            | u32::from(self.result_words) << 24
    }
}

/// Bit of a call that has several results.
const SEVERAL: u32 = 1 << 23;

fn argument_words(head: u32) -> usize {
    (head >> 16 & 0x7f) as usize
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    bytes.get(index * 4..)?.first_chunk().copied().map(u32::from_le_bytes)
}
