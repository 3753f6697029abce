//! The timer that ends time slices.

use core::ptr::write_volatile;

use crate::harness::to_ticks;

/// SysTick control, reload and current value.
///
/// # Source
/// Armv7-M Architecture Reference Manual, section B3.3.
const SYST_CSR: *mut u32 = 0xe000_e010 as *mut u32;
const SYST_RVR: *mut u32 = 0xe000_e014 as *mut u32;
const SYST_CVR: *mut u32 = 0xe000_e018 as *mut u32;

/// Makes SysTick interrupt after as many instructions, again and again; 0 turns it off.
pub fn interrupt_every(instructions: u32) {
    let ticks = to_ticks(instructions);
    // SAFETY: the addresses are SysTick's on every Armv7-M core, and nothing else uses it here.
    unsafe {
        write_volatile(SYST_CSR, 0);
        if instructions == 0 {
            return;
        }
        write_volatile(SYST_RVR, ticks.min(0x00ff_ffff));
        write_volatile(SYST_CVR, 0);
        write_volatile(SYST_CSR, 7);
    }
}
