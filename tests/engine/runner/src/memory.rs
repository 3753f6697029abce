//! The PSRAM with the batch and its records, and the few facts that only addresses give.

use core::ptr::{read_volatile, write_volatile};
use wasmbed_engine_batch::digest::digest;
use wasmbed_engine_batch::layout::{ARENA, HEAD_BYTES, MAGIC, RECORDS, VERSION};
use wasmbed_engine_batch::record::Sink;

/// Where the MPS2 boards have their PSRAM.
pub const PSRAM: usize = 0x2100_0000;

/// Configurable fault status, and bus fault address.
///
/// # Source
/// Armv7-M Architecture Reference Manual, section B3.2.
const CFSR: *const u32 = 0xe000_ed28 as *const u32;
const BFAR: *const u32 = 0xe000_ed38 as *const u32;

unsafe extern "C" {
    static __sidata: u32;
    static __sdata: u32;
    static __edata: u32;
}

/// The batch as the host wrote it.
pub fn batch() -> &'static [u8] {
    // SAFETY: the PSRAM is there for the whole run, and nothing writes to this part of it.
    unsafe { core::slice::from_raw_parts(PSRAM as *const u8, RECORDS) }
}

/// What follows the head, if it is a batch.
pub fn items(batch: &'static [u8]) -> Option<&'static [u8]> {
    let (head, items) = batch.split_at_checked(HEAD_BYTES)?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    (word(0) == MAGIC && word(4) == VERSION).then_some(items)
}

/// Where records go. The first word says how many words there are.
pub struct Records {
    words: u32,
}

const COUNT: *mut u32 = (PSRAM + RECORDS) as *mut u32;

impl Records {
    /// No records yet.
    pub fn begin() -> Records {
        Records { words: 0 }
    }

    /// Goes on behind the last complete record.
    pub fn resume() -> Records {
        // SAFETY: the word is inside the PSRAM.
        Records { words: unsafe { read_volatile(COUNT) } }
    }
}

impl Sink for Records {
    fn word(&mut self, word: u32) {
        let place = PSRAM + RECORDS + 4 + self.words as usize * 4;
        assert!(place < PSRAM + ARENA, "too many records");
        // SAFETY: the place is inside the part of the PSRAM that holds records.
        unsafe { write_volatile(place as *mut u32, word) };
        self.words += 1;
    }

    fn publish(&mut self) {
        // SAFETY: the word is inside the PSRAM.
        unsafe { write_volatile(COUNT, self.words) };
    }
}

/// Digest of the program itself, which lies in memory that could be written.
pub fn program_digest() -> u64 {
    let data_bytes = (&raw const __edata) as usize - (&raw const __sdata) as usize;
    let end = (&raw const __sidata) as usize + data_bytes;
    // The vector table begins at 0, which no slice may: its first word is left out.
    // SAFETY: the program occupies its memory from 0 to the end of its initial data.
    digest(unsafe { core::slice::from_raw_parts(4 as *const u8, end - 4) })
}

/// Why the core faulted.
pub fn fault_status() -> [u32; 2] {
    // SAFETY: both registers exist on every Armv7-M core and reading them changes nothing.
    unsafe { [read_volatile(CFSR), read_volatile(BFAR)] }
}
