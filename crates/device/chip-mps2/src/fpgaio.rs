//! LEDs and buttons of the FPGA's own I/O block: one register each, one bit a pin.

use core::ptr::NonNull;
use wasmbed_hal::register::ReadWrite;

/// A row of LEDs or buttons.
///
/// # Source
/// Arm DAI 0385D, Application Note AN385, section 4.5 "FPGA system control and I/O".
pub struct Pins {
    register: NonNull<ReadWrite<u32>>,
    count: u8,
}

impl Pins {
    /// Takes the register that the board file places at `base`, with `count` pins from bit 0.
    ///
    /// # Safety
    /// `base` must be this register, mapped for the whole run, and taken only once.
    pub const unsafe fn new(base: usize, count: u8) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        Self { register: unsafe { NonNull::new_unchecked(base as *mut ReadWrite<u32>) }, count }
    }

    fn register(&self) -> &ReadWrite<u32> {
        // SAFETY: `new` promises a mapping that outlives `self`. The field is a volatile cell.
        unsafe { self.register.as_ref() }
    }

    /// How many there are.
    pub fn count(&self) -> u8 {
        self.count
    }

    /// The state of every pin, bit by bit.
    pub fn read(&self) -> u32 {
        self.register().read() & mask(self.count)
    }

    /// Switches one LED. False if there is none with this number.
    pub fn set(&mut self, index: u8, is_on: bool) -> bool {
        if index >= self.count {
            return false;
        }
        let bit = 1 << index;
        let others = self.register().read() & !bit;
        self.register().write(if is_on { others | bit } else { others });
        true
    }
}

/// One bit a pin.
const fn mask(count: u8) -> u32 {
    match count {
        0..32 => (1 << count) - 1,
        _ => u32::MAX,
    }
}

#[cfg(test)]
mod tests;
