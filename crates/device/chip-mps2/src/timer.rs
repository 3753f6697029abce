//! Timer of the Cortex-M System Design Kit as a counter that never stops. Leaves out its interrupt:
//! the timer of the core wakes the loop.

use core::ptr::NonNull;
use wasmbed_hal::register::ReadWrite;

/// Register block of the CMSDK APB timer.
///
/// # Source
/// Arm DDI 0479C, Cortex-M System Design Kit TRM, "APB timer", programmers model.
#[repr(C)]
pub struct Registers {
    /// 0x00 Control. Bit 0: on. Bit 3: interrupt.
    control: ReadWrite<u32>,
    /// 0x04 Current value, counting down.
    value: ReadWrite<u32>,
    /// 0x08 What follows zero.
    reload: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, reload) == 0x08);

const ENABLE: u32 = 1 << 0;

/// One counter.
pub struct Timer {
    registers: NonNull<Registers>,
}

// SAFETY: after `start` the registers are only read.
unsafe impl Sync for Timer {}

impl Timer {
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

    /// Starts the counter at zero.
    pub fn start(&self) {
        let registers = self.registers();
        registers.reload.write(u32::MAX);
        registers.value.write(u32::MAX);
        registers.control.write(ENABLE);
    }

    /// Cycles since the start, modulo 2^32.
    pub fn read(&self) -> u32 {
        !self.registers().value.read()
    }
}
