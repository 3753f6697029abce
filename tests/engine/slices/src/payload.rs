//! The programs, in the file that QEMU put into memory. Its layout is told by the tests that make it:
//! words, the first of them how many programs, then ten for each, then the bytes they point to.

use core::slice;

/// Start of the PSRAM, which nothing else uses.
const ADDRESS: usize = 0x2100_0000;
/// Behind it, in the same PSRAM: what a guest works in.
const ARENA_ADDRESS: usize = 0x2180_0000;
const RECORD_WORDS: usize = 10;

/// A program, and how to run it.
#[derive(Clone, Copy)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Number of the function among those that the image defines.
    pub function: u16,
    /// The image.
    pub image: &'static [u8],
    /// Its arguments, words.
    pub arguments: [u32; 2],
    /// Bytes of its arena.
    pub arena_bytes: usize,
    /// Slice lengths to try, in instructions: the longest of each series.
    pub slices: &'static [u32],
}

fn bytes(offset: usize, count: usize) -> &'static [u8] {
    // SAFETY: the loader filled this memory before reset, and nothing writes to it.
    unsafe { slice::from_raw_parts((ADDRESS + offset) as *const u8, count) }
}

fn words(offset: usize, count: usize) -> &'static [u32] {
    // SAFETY: as above; the file holds words at aligned places.
    unsafe { slice::from_raw_parts((ADDRESS + offset) as *const u32, count) }
}

/// All programs.
pub fn programs() -> impl Iterator<Item = Program> {
    (0..words(0, 1)[0] as usize).map(|index| {
        let record = words(4 + index * RECORD_WORDS * 4, RECORD_WORDS);
        let section = |at: usize| (record[at] as usize, record[at + 1] as usize);
        let (name, image, limits) = (section(0), section(2), section(8));
        Program {
            name: str::from_utf8(bytes(name.0, name.1)).unwrap_or("?"),
            image: bytes(image.0, image.1),
            function: record[4] as u16,
            arguments: [record[5], record[6]],
            arena_bytes: record[7] as usize,
            slices: words(limits.0, limits.1),
        }
    })
}

/// Stack, globals and memory of one guest at a time.
///
/// # Safety
/// The caller holds no other reference to it.
pub unsafe fn arena(arena_bytes: usize) -> &'static mut [u8] {
    // SAFETY: nothing else lies there, and the caller promises the rest.
    unsafe { slice::from_raw_parts_mut(ARENA_ADDRESS as *mut u8, arena_bytes) }
}
