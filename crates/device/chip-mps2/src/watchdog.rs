//! Watchdog of the Cortex-M System Design Kit: an interrupt that cannot be held back after one
//! period without a word, and a reset after two. Leaves out its integration test registers.

use core::ptr::NonNull;
use wasmbed_hal::register::{ReadOnly, ReadWrite, WriteOnly};

/// Register block of the CMSDK APB watchdog.
///
/// # Source
/// Arm DDI 0479C, Cortex-M System Design Kit TRM, "APB watchdog", programmers model.
#[repr(C)]
pub struct Registers {
    /// 0x00 Cycles of a period.
    load: ReadWrite<u32>,
    /// 0x04 Cycles that are left.
    value: ReadOnly<u32>,
    /// 0x08 Control. Bit 0: counting, with its interrupt. Bit 1: reset at the second end.
    control: ReadWrite<u32>,
    /// 0x0C Any write ends the interrupt and begins the period anew.
    clear: WriteOnly<u32>,
    /// 0x10 to 0xBFC Interrupt state, then nothing.
    unused: [ReadOnly<u32>; 764],
    /// 0xC00 Lock. One word opens the registers for writing, any other closes them.
    lock: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, lock) == 0xc00);

const COUNT: u32 = 1 << 0;
const RESET: u32 = 1 << 1;
const UNLOCK: u32 = 0x1acc_e551;

/// One watchdog.
pub struct Watchdog {
    registers: NonNull<Registers>,
}

// SAFETY: after `start` the only access is a write that needs nothing before it.
unsafe impl Sync for Watchdog {}

impl Watchdog {
    /// Takes the block that the board file places at `base`.
    ///
    /// # Safety
    /// `base` must be this peripheral, mapped for the whole run, and taken only once.
    pub const unsafe fn new(base: usize) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        Self { registers: unsafe { NonNull::new_unchecked(base as *mut Registers) } }
    }

    fn registers(&self) -> &Registers {
        // SAFETY: `new` promises a mapping that outlives `self`. All fields are volatile cells.
        unsafe { self.registers.as_ref() }
    }

    /// Starts the first period of so many cycles.
    pub fn start(&self, cycles: u32) {
        let registers = self.registers();
        registers.lock.write(UNLOCK);
        registers.load.write(cycles);
        registers.control.write(COUNT | RESET);
    }

    /// Begins the period anew.
    pub fn feed(&self) {
        self.registers().clear.write(1);
    }
}

#[cfg(test)]
mod tests;
