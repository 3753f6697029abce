//! USART of the F1, F2, F4 and L1 families, interrupt-driven both ways. Leaves out parity, flow
//! control and DMA.

use core::ptr::NonNull;
use wasmbed_hal::register::ReadWrite;
use wasmbed_hal::{Ring, Serial};

/// Register block of the USART.
///
/// # Source
/// ST RM0041, STM32F100xx reference manual, section 23.6 "USART registers".
#[repr(C)]
pub struct Registers {
    /// 0x00 Status. Bit 5: byte there. Bit 7: room for one.
    status: ReadWrite<u32>,
    /// 0x04 Data. A write sends, a read takes.
    data: ReadWrite<u32>,
    /// 0x08 Divider of the clock, in sixteenths.
    divider: ReadWrite<u32>,
    /// 0x0C Control. Bits 2, 3: receive, transmit on. Bits 5, 7: their interrupts on. Bit 13: on.
    control: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, control) == 0x0c);

const RECEIVED: u32 = 1 << 5;
const SENT: u32 = 1 << 6;
const ROOM: u32 = 1 << 7;
const RECEIVE: u32 = 1 << 2;
const TRANSMIT: u32 = 1 << 3;
const RECEIVE_INTERRUPT: u32 = 1 << 5;
const TRANSMIT_INTERRUPT: u32 = 1 << 7;
const ENABLE: u32 = 1 << 13;

/// One port and its rings.
pub struct Usart {
    registers: NonNull<Registers>,
    received: &'static Ring,
    queued: &'static Ring,
}

// SAFETY: the rings are made for an interrupt and a loop, and registers are touched by the loop
// only inside of critical sections.
unsafe impl Sync for Usart {}

impl Usart {
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

    /// Switches the port on. Its clock and pins must be on already.
    pub fn start(&self, clock_hz: u32, speed: u32) {
        let registers = self.registers();
        registers.divider.write((clock_hz + speed / 2) / speed);
        registers.control.write(ENABLE | TRANSMIT | RECEIVE | RECEIVE_INTERRUPT);
    }

    /// To be called by the interrupt of the port.
    pub fn interrupt(&self) {
        critical_section::with(|_| {
            self.take();
            self.give();
        });
    }

    /// Moves what arrived into the ring. With a full ring the byte stays in the register and the
    /// interrupt is off, or it would come back at once, until [`Serial::read`] has made room.
    fn take(&self) {
        let registers = self.registers();
        while registers.status.read() & RECEIVED != 0 && !self.received.is_full() {
            self.received.push(registers.data.read() as u8);
        }
    }

    /// Moves queued bytes to the line, and asks for the interrupts that are wanted then.
    fn give(&self) {
        let registers = self.registers();
        while registers.status.read() & ROOM != 0 {
            match self.queued.pop() {
                Some(byte) => registers.data.write(u32::from(byte)),
                None => break,
            }
        }
        let mut wanted = ENABLE | TRANSMIT | RECEIVE;
        if !self.received.is_full() {
            wanted |= RECEIVE_INTERRUPT;
        }
        if !self.queued.is_empty() {
            wanted |= TRANSMIT_INTERRUPT;
        }
        registers.control.write(wanted);
    }
}

impl Serial for Usart {
    fn read(&self) -> Option<u8> {
        // As one: an interrupt between the look and the pop would fill the ring and switch itself
        // off, and nobody would switch it on again.
        critical_section::with(|_| {
            let was_full = self.received.is_full();
            let byte = self.received.pop();
            if was_full {
                self.take();
                self.give();
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
        self.queued.is_empty() && self.registers().status.read() & SENT != 0
    }

    fn write_now(&self, bytes: &[u8]) {
        let registers = self.registers();
        registers.control.write(ENABLE | TRANSMIT);
        let queued = core::iter::from_fn(|| self.queued.pop());
        for byte in queued.chain(bytes.iter().copied()) {
            while registers.status.read() & ROOM == 0 {}
            registers.data.write(u32::from(byte));
        }
        while registers.status.read() & SENT == 0 {}
    }
}

#[cfg(test)]
mod tests;
