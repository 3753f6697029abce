//! Independent watchdog of the STM32 family: a reset after the longest period it has, with a clock
//! of its own. It cannot be stopped, and gives no interrupt.

use core::ptr::NonNull;
use wasmbed_hal::register::{ReadWrite, WriteOnly};

/// Register block of the independent watchdog.
///
/// # Source
/// ST RM0041, STM32F100xx reference manual, section 18.4 "IWDG registers"; ST RM0090, STM32F405/415
/// reference manual, section 21.4, says the same.
#[repr(C)]
pub struct Registers {
    /// 0x00 Key. Starts, feeds, or opens the next two registers for writing.
    key: WriteOnly<u32>,
    /// 0x04 Prescaler, bits 2:0; 6 divides by 256.
    prescaler: ReadWrite<u32>,
    /// 0x08 Reload value, 12 bits; after reset the highest.
    reload: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, reload) == 0x08);

const START: u32 = 0xcccc;
const FEED: u32 = 0xaaaa;
const OPEN: u32 = 0x5555;
const PRESCALER_256: u32 = 6;

/// The watchdog.
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

    /// Starts the longest period: 4,096 times 256 cycles of a clock that is 40 kHz on the STM32F1
    /// and 32 kHz on the STM32F4, and up to half as fast again on some chips: 17 seconds at least.
    pub fn start(&self) {
        let registers = self.registers();
        registers.key.write(START);
        registers.key.write(OPEN);
        registers.prescaler.write(PRESCALER_256);
        self.feed();
    }

    /// Begins the period anew.
    pub fn feed(&self) {
        self.registers().key.write(FEED);
    }
}

#[cfg(test)]
mod tests;
