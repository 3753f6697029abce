//! What the firmware itself may execute, write and touch. The regions come from the board file.
//!
//! No fault has a handler of its own: all become a hard fault, whose handler the protection does
//! not hold back, so that it can look at a stack that is used up.

use crate::board;
use wasmbed_hal::mpu::{self, Mpu};

#[cfg(board_protection = "v7")]
static ENTRIES: [mpu::Entry; board::REGIONS.len()] = mpu::v7(board::REGIONS);
#[cfg(board_protection = "v8")]
static ENTRIES: [mpu::Entry; board::REGIONS.len()] = mpu::v8(board::REGIONS);

/// Switches the protection on. False if the core has none.
pub fn start() -> bool {
    // SAFETY: every core of this family has the unit there, and this is its only taker.
    let unit = unsafe { Mpu::new(mpu::BASE) };
    let is_started = unit.start(&ENTRIES);
    // What follows already obeys.
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
    is_started
}
