//! The programs, in the file that QEMU put into memory. Its layout is told by the tool that makes it.

use core::slice;

/// Start of the PSRAM, which nothing else uses.
const ADDRESS: usize = 0x2100_0000;
/// Behind it, in the same PSRAM: what a guest works in.
const ARENA_ADDRESS: usize = 0x2180_0000;
const ARENA_BYTES: usize = 4 << 20;
const MAGIC: u32 = u32::from_le_bytes(*b"WBB1");
const RECORD_WORDS: usize = 12;

/// A program to run. Each way of running it needs other parts.
#[cfg_attr(
    not(all(feature = "engine", feature = "wasmi")),
    expect(dead_code, reason = "see above")
)]
#[derive(Clone, Copy)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What its function is called with.
    pub arguments: [u32; 2],
    /// Number of the function among those that the image defines.
    pub function: u16,
    /// The image; empty if there is none.
    pub image: &'static [u8],
    /// The WebAssembly module.
    pub wasm: &'static [u8],
}

fn bytes(offset: usize, count: usize) -> &'static [u8] {
    // SAFETY: the loader filled this memory before reset, and nothing writes to it.
    unsafe { slice::from_raw_parts((ADDRESS + offset) as *const u8, count) }
}

fn word(index: usize) -> u32 {
    let field = bytes(index * 4, 4);
    u32::from_le_bytes([field[0], field[1], field[2], field[3]])
}

/// All programs.
pub fn programs() -> impl Iterator<Item = Program> {
    let count = if word(0) == MAGIC { word(1) as usize } else { 0 };
    (0..count).map(|index| {
        let base = 2 + index * RECORD_WORDS;
        let name = bytes(base * 4, 16).split(|byte| *byte == 0).next().unwrap_or_default();
        let field = |at: usize| word(base + at);
        let section = |at: usize| bytes(field(at) as usize, field(at + 1) as usize);
        Program {
            name: str::from_utf8(name).unwrap_or("?"),
            arguments: [field(4), field(5)],
            function: field(6) as u16,
            image: section(7),
            wasm: section(9),
        }
    })
}

/// Stack, globals and memory of one guest at a time.
///
/// # Safety
/// It is taken once only.
pub unsafe fn arena() -> &'static mut [u8] {
    // SAFETY: nothing else lies there, and the caller takes it once.
    unsafe { slice::from_raw_parts_mut(ARENA_ADDRESS as *mut u8, ARENA_BYTES) }
}
