//! Clocks and pins that the STM32F405 needs before its serial ports work: the PLL at 168 MHz from a
//! 12 MHz crystal, and the pins of USART1 to UART4. Leaves out what else the clock tree can do.

use core::ptr::NonNull;
use wasmbed_hal::register::ReadWrite;

/// Register block of reset and clock control.
///
/// # Source
/// ST RM0090, STM32F405/415 reference manual, section 7.3 "RCC registers".
#[repr(C)]
pub struct Registers {
    /// 0x00 Control. Bit 16: crystal on. Bit 17: crystal ready. Bit 24: PLL on. Bit 25: PLL ready.
    control: ReadWrite<u32>,
    /// 0x04 PLL. Bits 5:0: divider before. Bits 14:6: factor. Bits 17:16: divider behind. Bit 22:
    /// from the crystal. Bits 27:24: divider of the 48 MHz clock.
    pll: ReadWrite<u32>,
    /// 0x08 Configuration. Bits 1:0: system clock. Bits 3:2: the one in use. Bits 12:10 and 15:13:
    /// dividers of the slow and the fast bus.
    config: ReadWrite<u32>,
    /// 0x0C to 0x2C Interrupts and resets.
    unused: [ReadWrite<u32>; 9],
    /// 0x30 Clocks of the memory bus. Bits 0, 1, 2: pins A, B, C.
    memory_clock: ReadWrite<u32>,
    /// 0x34 to 0x3C Clocks of other buses.
    other_clocks: [ReadWrite<u32>; 3],
    /// 0x40 Clocks of the slow bus. Bits 17, 18, 19: USART2, USART3, UART4.
    slow_clock: ReadWrite<u32>,
    /// 0x44 Clocks of the fast bus. Bit 4: USART1.
    fast_clock: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, memory_clock) == 0x30);
const _: () = assert!(core::mem::offset_of!(Registers, fast_clock) == 0x44);

/// Register block of one port of pins.
///
/// # Source
/// ST RM0090, section 8.4 "GPIO registers".
#[repr(C)]
pub struct Pins {
    /// 0x00 Mode, two bits a pin; 2 is the alternate function.
    mode: ReadWrite<u32>,
    /// 0x04 to 0x1C Kind of output, speed, pull, data, lock.
    unused: [ReadWrite<u32>; 7],
    /// 0x20 Alternate function of pins 0 to 7, four bits a pin.
    low: ReadWrite<u32>,
    /// 0x24 Alternate function of pins 8 to 15, four bits a pin.
    high: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Pins, low) == 0x20);

const CRYSTAL_ON: u32 = 1 << 16;
const CRYSTAL_READY: u32 = 1 << 17;
const PLL_ON: u32 = 1 << 24;
const PLL_READY: u32 = 1 << 25;
/// 12 MHz / 12 * 336 / 2 = 168 MHz; / 7 = 48 MHz.
const PLL_168_MHZ: u32 = 12 | 336 << 6 | 1 << 22 | 7 << 24;
/// The slow bus at a quarter, the fast one at half: 42 and 84 MHz, the most they bear.
const BUS_DIVIDERS: u32 = 5 << 10 | 4 << 13;
const SYSTEM_IS_PLL: u32 = 2;
const USING_PLL: u32 = 2 << 2;
/// Five wait states, prefetch and both caches: what 168 MHz at 3.3 V needs.
///
/// # Source
/// ST RM0090, section 3.5.1 "Relation between CPU clock frequency and Flash memory read time".
const FLASH_ACCESS: u32 = 5 | 1 << 8 | 1 << 9 | 1 << 10;
/// The wait states among these.
const FLASH_WAIT: u32 = 0xf;
/// Function 7 is USART1 to USART3, function 8 is UART4.
const USART: u32 = 7;
const UART: u32 = 8;
/// Reads before crystal or PLL count as broken: a crystal takes 2 ms, 32,000 cycles at 16 MHz.
const POLLS_MAX: u32 = if cfg!(test) { u32::MAX } else { 200_000 };

/// Reset and clock control, the flash interface, and the pins of the serial ports.
pub struct Rcc {
    registers: NonNull<Registers>,
    /// Access control, the first register of the flash interface.
    flash_access: NonNull<ReadWrite<u32>>,
    pins_a: NonNull<Pins>,
    pins_b: NonNull<Pins>,
    pins_c: NonNull<Pins>,
}

impl Rcc {
    /// Frequency of the core after [`Self::start`].
    pub const CORE_HZ: u32 = 168_000_000;

    /// Takes the blocks that the board file places at these addresses.
    ///
    /// # Safety
    /// They must be these peripherals, the pins of ports A, B and C, all mapped for the whole
    /// run and taken only once.
    pub const unsafe fn new(rcc: usize, flash: usize, [a, b, c]: [usize; 3]) -> Self {
        // SAFETY: the caller promises addresses that are mapped, so none is zero.
        unsafe {
            Self {
                registers: NonNull::new_unchecked(rcc as *mut Registers),
                flash_access: NonNull::new_unchecked(flash as *mut ReadWrite<u32>),
                pins_a: NonNull::new_unchecked(a as *mut Pins),
                pins_b: NonNull::new_unchecked(b as *mut Pins),
                pins_c: NonNull::new_unchecked(c as *mut Pins),
            }
        }
    }

    /// Starts the PLL and switches the serial ports' clocks and pins on. False if the crystal or
    /// the PLL does not start: the core then runs on at 16 MHz.
    ///
    /// A control register that reads zero means that no oscillator runs, which silicon that
    /// executes this cannot say: there the frequency of the board file holds already.
    pub fn start(&self) -> bool {
        // SAFETY: `new` promises mappings that outlive `self`. All fields are volatile cells.
        let (registers, flash_access) =
            unsafe { (self.registers.as_ref(), self.flash_access.as_ref()) };
        if registers.control.read() == 0 {
            return true;
        }
        self.start_ports(registers);
        let ready = |bit: u32| (0..POLLS_MAX).any(|_| registers.control.read() & bit != 0);
        registers.control.write(registers.control.read() | CRYSTAL_ON);
        if !ready(CRYSTAL_READY) {
            return false;
        }
        registers.pll.write(PLL_168_MHZ);
        registers.config.write(BUS_DIVIDERS);
        registers.control.write(registers.control.read() | PLL_ON);
        flash_access.write(FLASH_ACCESS);
        // The manual wants this read before the clock goes up.
        if flash_access.read() & FLASH_WAIT != FLASH_ACCESS & FLASH_WAIT || !ready(PLL_READY) {
            return false;
        }
        registers.config.write(BUS_DIVIDERS | SYSTEM_IS_PLL);
        (0..POLLS_MAX).any(|_| registers.config.read() & 0xc == USING_PLL)
    }

    /// USART1 on A9 and A10, USART2 on A2 and A3, USART3 on B10 and B11, UART4 on C10 and C11 (A0,
    /// its other place, is the button of the Olimex board).
    fn start_ports(&self, registers: &Registers) {
        // SAFETY: `new` promises mappings that outlive `self`. All fields are volatile cells.
        let (a, b, c) =
            unsafe { (self.pins_a.as_ref(), self.pins_b.as_ref(), self.pins_c.as_ref()) };
        registers.memory_clock.write(registers.memory_clock.read() | 0b111);
        registers.slow_clock.write(registers.slow_clock.read() | 0b111 << 17);
        registers.fast_clock.write(registers.fast_clock.read() | 1 << 4);
        for (pins, pin, function) in [
            (a, 2, USART),
            (a, 3, USART),
            (a, 9, USART),
            (a, 10, USART),
            (b, 10, USART),
            (b, 11, USART),
            (c, 10, UART),
            (c, 11, UART),
        ] {
            let (register, place) =
                if pin < 8 { (&pins.low, pin * 4) } else { (&pins.high, pin * 4 - 32) };
            register.write(register.read() & !(0xf << place) | function << place);
            pins.mode.write(pins.mode.read() & !(3 << (pin * 2)) | 2 << (pin * 2));
        }
    }
}

#[cfg(test)]
mod tests;
