//! The hardware, as the runtime sees it.

use crate::clock::CLOCK;
use crate::console::{self, Part};
use crate::flash::StoragePort;
use crate::{board, limits, ports, stack};
use core::sync::atomic::AtomicBool;
#[cfg(board_i2c = "versatile")]
use wasmbed_chip_mps2::SbCon;
#[cfg(any(board_leds = "fpgaio", board_buttons = "fpgaio"))]
use wasmbed_chip_mps2::fpgaio::Pins;
#[cfg(board_guest_uart = "serial")]
use wasmbed_hal::Serial;
#[cfg(board_i2c = "versatile")]
use wasmbed_hal::two_wire;
use wasmbed_link::flash::Nor;
#[cfg(board_i2c = "versatile")]
use wasmbed_runtime::BusError;
use wasmbed_runtime::{EntropyError, Platform};

/// This board.
pub struct Board {
    flash: Nor<StoragePort>,
    #[cfg(board_leds = "fpgaio")]
    leds: Pins,
    #[cfg(board_buttons = "fpgaio")]
    buttons: Pins,
    #[cfg(board_i2c = "versatile")]
    i2c: SbCon,
}

impl Board {
    /// Opens the flash and takes what guests may use. `None` if the flash does not answer.
    ///
    /// # Safety
    /// To be called once: the value takes registers of the board.
    pub unsafe fn open() -> Option<Self> {
        let mut flash = Nor::new(StoragePort);
        flash.open().ok()?;
        Some(Self {
            flash,
            // SAFETY: the board file places the register there, and the caller takes it once.
            #[cfg(board_leds = "fpgaio")]
            leds: unsafe { Pins::new(board::leds::BASE, board::leds::COUNT) },
            // SAFETY: as above.
            #[cfg(board_buttons = "fpgaio")]
            buttons: unsafe { Pins::new(board::buttons::BASE, board::buttons::COUNT) },
            // SAFETY: as above.
            #[cfg(board_i2c = "versatile")]
            i2c: unsafe { SbCon::new(board::i2c::BASE, board::CLOCK_HZ, board::i2c::SPEED) },
        })
    }
}

impl Platform for Board {
    type Flash = Nor<StoragePort>;

    /// A program that needs it is larger than what a small board has for guests.
    const HAS_WASI: bool = limits::IS_LARGE;

    /// What does not fit the flash of a small board is left out, and images that need it are refused.
    const CAPABILITIES: u32 =
        if limits::IS_LARGE { u32::MAX } else { wasmbed_runtime::limits::SMALL_CAPABILITIES };

    fn flash(&mut self) -> &mut Self::Flash {
        &mut self.flash
    }

    fn entropy(&mut self, target: &mut [u8]) -> Result<(), EntropyError> {
        if ports::random(target) { Ok(()) } else { Err(EntropyError) }
    }

    fn now_us(&mut self) -> u64 {
        CLOCK.now_us()
    }

    fn console(&mut self, line: &[u8]) {
        console::say(&[Part::Bytes(line)]);
    }

    fn slice_begin(&mut self, slice_us: u32) {
        CLOCK.slice_begin(slice_us);
    }

    fn stop_flag(&self) -> &'static AtomicBool {
        CLOCK.slice_flag()
    }

    fn slice_end(&mut self) {
        CLOCK.slice_end();
    }

    fn stack_high_water_bytes(&mut self) -> Option<u32> {
        Some(board::STACK_BYTES as u32 - stack::unused_bytes())
    }

    #[cfg(board_leds = "fpgaio")]
    fn led_count(&self) -> u8 {
        self.leds.count()
    }

    #[cfg(board_leds = "fpgaio")]
    fn led_set(&mut self, index: u8, is_on: bool) {
        self.leds.set(index, is_on);
    }

    #[cfg(board_buttons = "fpgaio")]
    fn button_count(&self) -> u8 {
        self.buttons.count()
    }

    #[cfg(board_buttons = "fpgaio")]
    fn buttons(&mut self) -> u32 {
        self.buttons.read()
    }

    #[cfg(board_i2c = "versatile")]
    fn has_i2c(&self) -> bool {
        true
    }

    #[cfg(board_i2c = "versatile")]
    fn i2c_transfer(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), BusError> {
        self.i2c.transfer(address, write, read).map_err(|error| match error {
            two_wire::BusError::NoAnswer | two_wire::BusError::Refused => BusError::NoAnswer,
            two_wire::BusError::Stuck => BusError::Failed,
        })
    }

    #[cfg(board_guest_uart = "serial")]
    fn uart_count(&self) -> u8 {
        1
    }

    #[cfg(board_guest_uart = "serial")]
    fn uart_write(&mut self, _: u8, bytes: &[u8]) -> usize {
        ports::GUEST_UART.write(bytes)
    }

    #[cfg(board_guest_uart = "serial")]
    fn uart_read(&mut self, _: u8, target: &mut [u8]) -> usize {
        let mut arrived = core::iter::from_fn(|| ports::GUEST_UART.read());
        target.iter_mut().zip(&mut arrived).map(|(place, byte)| *place = byte).count()
    }
}
