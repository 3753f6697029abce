//! UART of the Cortex-M System Design Kit, interrupt-driven both ways. Leaves out parity and flow
//! control, which it does not have.

use core::ptr::NonNull;
use wasmbed_hal::register::ReadWrite;
use wasmbed_hal::{Ring, Serial};

/// Register block of the CMSDK APB UART.
///
/// # Source
/// Arm DDI 0479C, Cortex-M System Design Kit TRM, "APB UART", programmers model.
#[repr(C)]
pub struct Registers {
    /// 0x00 Data, bits 7:0. A write sends, a read takes.
    data: ReadWrite<u32>,
    /// 0x04 State. Bit 0: transmit buffer full. Bit 1: receive buffer full.
    state: ReadWrite<u32>,
    /// 0x08 Control. Bits 0, 1: transmit, receive on. Bits 2, 3: their interrupts on.
    control: ReadWrite<u32>,
    /// 0x0C Interrupts, bit 0: transmit, bit 1: receive. Writing a one clears it.
    interrupt: ReadWrite<u32>,
    /// 0x10 Divider of the clock, at least 16.
    divider: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, divider) == 0x10);

const TRANSMIT: u32 = 1 << 0;
const RECEIVE: u32 = 1 << 1;
const TRANSMIT_INTERRUPT: u32 = 1 << 2;
const RECEIVE_INTERRUPT: u32 = 1 << 3;
/// The hardware's lower bound of the divider.
const DIVIDER_MIN: u32 = 16;

/// One port and its rings.
pub struct Uart {
    registers: NonNull<Registers>,
    received: &'static Ring,
    queued: &'static Ring,
}

// SAFETY: the rings are made for an interrupt and a loop, and registers are touched by the loop
// only inside of critical sections.
unsafe impl Sync for Uart {}

impl Uart {
    /// Takes the block that the board file places at `base`, and two rings for it alone.
    ///
    /// # Safety
    /// `base` must be this peripheral, mapped for the whole run, and taken only once.
    pub const unsafe fn new(base: usize, received: &'static Ring, queued: &'static Ring) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        let registers = unsafe { NonNull::new_unchecked(base as *mut Registers) };
        Self { registers, received, queued }
    }

    fn registers(&self) -> &Registers {
        // SAFETY: `new` promises a mapping that outlives `self`. All fields are volatile cells,
        // so hardware may change them under a shared reference.
        unsafe { self.registers.as_ref() }
    }

    /// Switches the port on.
    pub fn start(&self, clock_hz: u32, speed: u32) {
        let registers = self.registers();
        registers.divider.write((clock_hz / speed).max(DIVIDER_MIN));
        registers.interrupt.write(TRANSMIT | RECEIVE);
        registers.control.write(TRANSMIT | RECEIVE | RECEIVE_INTERRUPT);
    }

    /// To be called by both interrupts of the port.
    pub fn interrupt(&self) {
        critical_section::with(|_| {
            self.registers().interrupt.write(TRANSMIT | RECEIVE);
            self.take();
            self.give();
        });
    }

    /// Moves what arrived into the ring. With a full ring the byte stays in the register, which
    /// holds the line back until [`Serial::read`] has made room.
    fn take(&self) {
        let registers = self.registers();
        while registers.state.read() & RECEIVE != 0 && !self.received.is_full() {
            self.received.push(registers.data.read() as u8);
        }
    }

    /// Moves queued bytes to the line; the interrupt is wanted only while some are left.
    fn give(&self) {
        let registers = self.registers();
        while registers.state.read() & TRANSMIT == 0 {
            match self.queued.pop() {
                Some(byte) => registers.data.write(u32::from(byte)),
                None => break,
            }
        }
        let receive = TRANSMIT | RECEIVE | RECEIVE_INTERRUPT;
        let wanted = if self.queued.is_empty() { receive } else { receive | TRANSMIT_INTERRUPT };
        registers.control.write(wanted);
    }
}

impl Serial for Uart {
    fn read(&self) -> Option<u8> {
        // As one: an interrupt between the look and the pop would fill the ring and leave a byte in
        // the register, and while that is there no other interrupt comes.
        critical_section::with(|_| {
            let was_full = self.received.is_full();
            let byte = self.received.pop();
            if was_full {
                self.take();
            }
            byte
        })
    }

    fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    fn has_room(&self) -> bool {
        !self.queued.is_full()
    }

    fn write(&self, bytes: &[u8]) -> usize {
        let taken = bytes.iter().take_while(|byte| self.queued.push(**byte)).count();
        critical_section::with(|_| self.give());
        taken
    }

    fn is_idle(&self) -> bool {
        self.queued.is_empty() && self.registers().state.read() & TRANSMIT == 0
    }

    fn write_now(&self, bytes: &[u8]) {
        let registers = self.registers();
        registers.control.write(TRANSMIT);
        let queued = core::iter::from_fn(|| self.queued.pop());
        for byte in queued.chain(bytes.iter().copied()) {
            while registers.state.read() & TRANSMIT != 0 {}
            registers.data.write(u32::from(byte));
        }
        while registers.state.read() & TRANSMIT != 0 {}
    }
}

#[cfg(test)]
mod tests;
