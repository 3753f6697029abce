//! The serial bus controller (SBCon): two lines that the program drives itself. The protocol on
//! them is `hal`'s.

use core::ptr::NonNull;
use wasmbed_hal::register::{ReadWrite, WriteOnly};
use wasmbed_hal::two_wire::{BusError, Lines, transfer};

/// Register block of SBCon.
///
/// # Source
/// Arm DUI 0225D, Versatile Application Baseboard user guide, section 4.14 "Serial bus interface".
#[repr(C)]
pub struct Registers {
    /// 0x00 Read: bit 0 clock line, bit 1 data line. Write: 1 lets the line go.
    control: ReadWrite<u32>,
    /// 0x04 Write: 1 pulls the line low.
    clear: WriteOnly<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, clear) == 0x04);

const CLOCK: u32 = 1 << 0;
const DATA: u32 = 1 << 1;

/// One two-wire bus.
pub struct SbCon {
    registers: NonNull<Registers>,
    /// Core cycles of half a clock period.
    pause_cycles: u32,
}

impl SbCon {
    /// Takes the block that the board file places at `base`; `core_hz` is the clock of the core and
    /// `speed` that of the bus.
    ///
    /// # Safety
    /// `base` must be this peripheral, mapped for the whole run, and taken only once.
    pub const unsafe fn new(base: usize, core_hz: u32, speed: u32) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        let registers = unsafe { NonNull::new_unchecked(base as *mut Registers) };
        Self { registers, pause_cycles: core_hz / (2 * speed) }
    }

    fn registers(&self) -> &Registers {
        // SAFETY: `new` promises a mapping that outlives `self`. All fields are volatile cells.
        unsafe { self.registers.as_ref() }
    }

    fn set(&self, line: u32, is_high: bool) {
        if is_high {
            self.registers().control.write(line);
        } else {
            self.registers().clear.write(line);
        }
    }

    /// Writes `output` to the target, then reads `input` from it.
    ///
    /// # Errors
    /// [`BusError`] if the target is not there, refuses, or holds a line.
    pub fn transfer(
        &mut self,
        address: u8,
        output: &[u8],
        input: &mut [u8],
    ) -> Result<(), BusError> {
        transfer(self, address, output, input)
    }
}

impl Lines for SbCon {
    fn set_clock(&mut self, is_high: bool) {
        self.set(CLOCK, is_high);
    }

    fn set_data(&mut self, is_high: bool) {
        self.set(DATA, is_high);
    }

    fn clock(&self) -> bool {
        self.registers().control.read() & CLOCK != 0
    }

    fn data(&self) -> bool {
        self.registers().control.read() & DATA != 0
    }

    fn pause(&self) {
        // A turn takes at least two cycles; a bus that is a little slow is still right.
        for _ in 0..self.pause_cycles / 2 {
            core::hint::spin_loop();
        }
    }
}
