//! Clocks and pins that the STM32F1 needs before its serial ports work: the PLL at 24 MHz from the
//! internal oscillator, and the ports of USART1 to USART3. Leaves out the external oscillator.

use core::ptr::NonNull;
use wasmbed_hal::register::ReadWrite;

/// Register block of reset and clock control.
///
/// # Source
/// ST RM0041, STM32F100xx reference manual, section 6.3 "RCC registers".
#[repr(C)]
pub struct Registers {
    /// 0x00 Control. Bit 0: internal oscillator on. Bit 24: PLL on. Bit 25: PLL ready.
    control: ReadWrite<u32>,
    /// 0x04 Configuration. Bits 1:0: system clock. Bits 3:2: the one in use. Bits 21:18: PLL factor.
    config: ReadWrite<u32>,
    /// 0x08 Clock interrupts.
    interrupt: ReadWrite<u32>,
    /// 0x0C Resets of the fast bus.
    fast_reset: ReadWrite<u32>,
    /// 0x10 Resets of the slow bus.
    slow_reset: ReadWrite<u32>,
    /// 0x14 Clocks of the memory bus.
    memory_clock: ReadWrite<u32>,
    /// 0x18 Clocks of the fast bus. Bits 2, 3: pins A, B. Bit 14: USART1.
    fast_clock: ReadWrite<u32>,
    /// 0x1C Clocks of the slow bus. Bits 17, 18: USART2, USART3.
    slow_clock: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, slow_clock) == 0x1c);

/// Register block of one port of pins.
///
/// # Source
/// ST RM0041, section 7.2 "GPIO registers".
#[repr(C)]
pub struct Pins {
    /// 0x00 Configuration of pins 0 to 7, four bits each.
    low: ReadWrite<u32>,
    /// 0x04 Configuration of pins 8 to 15, four bits each.
    high: ReadWrite<u32>,
}

const PLL_ON: u32 = 1 << 24;
const PLL_READY: u32 = 1 << 25;
/// Half of the internal 8 MHz, times six.
const PLL_24_MHZ: u32 = 4 << 18;
const SYSTEM_IS_PLL: u32 = 2;
const USING_PLL: u32 = 2 << 2;
/// Alternate function, push-pull, 50 MHz.
const PIN_SEND: u32 = 0xb;
/// Input without pull, as after reset.
const PIN_RECEIVE: u32 = 0x4;
/// Reads before the PLL counts as broken: RM0041 gives 200 us, 5,000 cycles at most.
const POLLS_MAX: u32 = if cfg!(test) { u32::MAX } else { 100_000 };

/// Reset and clock control, and the pins of the serial ports.
pub struct Rcc {
    registers: NonNull<Registers>,
    pins_a: NonNull<Pins>,
    pins_b: NonNull<Pins>,
}

impl Rcc {
    /// Frequency of the core after [`Self::start`].
    pub const CORE_HZ: u32 = 24_000_000;

    /// Takes the blocks that the board file places at these addresses.
    ///
    /// # Safety
    /// They must be these peripherals, mapped for the whole run, and taken only once.
    pub const unsafe fn new(rcc: usize, gpioa: usize, gpiob: usize) -> Self {
        // SAFETY: the caller promises addresses that are mapped, so none is zero.
        unsafe {
            Self {
                registers: NonNull::new_unchecked(rcc as *mut Registers),
                pins_a: NonNull::new_unchecked(gpioa as *mut Pins),
                pins_b: NonNull::new_unchecked(gpiob as *mut Pins),
            }
        }
    }

    /// Starts the PLL and switches the serial ports' clocks and pins on. False if the PLL does
    /// not start: the core then runs on at 8 MHz.
    ///
    /// A control register that reads zero means that no oscillator runs, which silicon that
    /// executes this cannot say: there the frequency of the board file holds already.
    pub fn start(&self) -> bool {
        // SAFETY: `new` promises mappings that outlive `self`. All fields are volatile cells.
        let (registers, a, b) =
            unsafe { (self.registers.as_ref(), self.pins_a.as_ref(), self.pins_b.as_ref()) };
        if registers.control.read() == 0 {
            return true;
        }
        registers.fast_clock.write(registers.fast_clock.read() | 1 << 14 | 1 << 3 | 1 << 2);
        registers.slow_clock.write(registers.slow_clock.read() | 1 << 18 | 1 << 17);
        // USART1 on A9 and A10, USART2 on A2 and A3, USART3 on B10 and B11.
        a.high.write(a.high.read() & !0xff0 | PIN_SEND << 4 | PIN_RECEIVE << 8);
        a.low.write(a.low.read() & !0xff00 | PIN_SEND << 8 | PIN_RECEIVE << 12);
        b.high.write(b.high.read() & !0xff00 | PIN_SEND << 8 | PIN_RECEIVE << 12);
        registers.config.write(PLL_24_MHZ);
        registers.control.write(registers.control.read() | PLL_ON);
        if !(0..POLLS_MAX).any(|_| registers.control.read() & PLL_READY != 0) {
            return false;
        }
        registers.config.write(PLL_24_MHZ | SYSTEM_IS_PLL);
        (0..POLLS_MAX).any(|_| registers.config.read() & 0xc == USING_PLL)
    }
}

#[cfg(test)]
mod tests;
