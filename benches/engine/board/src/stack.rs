//! How deep the stack was used, by painting it.

use core::ptr::{read_volatile, write_volatile};

const PAINT: u32 = 0xa5a5_5a5a;
/// Stack that is painted below the caller: far more than anything here uses.
const PAINTED_BYTES: usize = 128 * 1024;

/// Runs `work`; gives its result and the bytes of stack it used below this function's frame.
#[inline(never)]
pub fn stack_of<T>(work: impl FnOnce() -> T) -> (T, u32) {
    let here = cortex_m::register::psp::read() as usize;
    let bottom = here - PAINTED_BYTES;
    let mut at = bottom;
    while at < here - 16 {
        // SAFETY: below this function's frame nothing lives, and RAM is far larger.
        unsafe { write_volatile(at as *mut u32, PAINT) };
        at += 4;
    }
    let result = work();
    let mut lowest = bottom;
    // SAFETY: as above; this frame is not painted, so the loop ends at it.
    while lowest < here && unsafe { read_volatile(lowest as *const u32) } == PAINT {
        lowest += 4;
    }
    (result, (here - lowest) as u32)
}
