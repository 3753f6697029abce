//! What a device needs from the hardware below it. Leaves out how bytes travel to the gateway:
//! the caller moves them between [`crate::Device`] and its transport.

use core::sync::atomic::AtomicBool;

use embedded_storage::nor_flash::NorFlash;
use wasmbed_image::Capability;
use wasmbed_wire::{Digest, FaultRecord, ResetReason};

/// Hardware under a device, one implementation per kind of host: board, load generator, simulation.
pub trait Platform {
    /// Capabilities whose calls this firmware was linked with, one bit each. An image that imports
    /// what needs another one is refused.
    const CAPABILITIES: u32 = u32::MAX;

    /// Whether the calls of WASI preview 1 were linked.
    const HAS_WASI: bool = true;

    /// Flash that holds the journal: erase size 4,096, write and read size 1.
    type Flash: NorFlash;

    /// The flash named by the board file.
    fn flash(&mut self) -> &mut Self::Flash;

    /// Fills `target` with bytes from the entropy source that the board file names.
    ///
    /// # Errors
    /// [`EntropyError`] if the board names no source or the source failed; no key is made then.
    fn entropy(&mut self, target: &mut [u8]) -> Result<(), EntropyError>;

    /// Monotonic time since boot in microseconds.
    fn now_us(&mut self) -> u64;

    /// Shows one line, without its line feed, on the board's console. Never blocks for long.
    fn console(&mut self, line: &[u8]);

    /// The flag that ends a guest's slice once it is true.
    fn stop_flag(&self) -> &'static AtomicBool;

    /// Clears the stop flag and arms the timer that sets it after `slice_us`.
    fn slice_begin(&mut self, slice_us: u32);

    /// Disarms the slice timer: the guest stopped.
    fn slice_end(&mut self);

    /// Fuel after which a slice also ends. For hosts that have no timer interrupt, and where a
    /// slice must be the same at each run; `None` on boards.
    fn slice_fuel(&self) -> Option<u64> {
        None
    }

    /// Deepest use of the stack so far, in bytes, where the stack is painted.
    fn stack_high_water_bytes(&mut self) -> Option<u32> {
        None
    }

    /// LEDs that guests may switch; a board that has none needs no more than this.
    fn led_count(&self) -> u8 {
        0
    }

    /// Name of an LED in the board file, for grants by name.
    fn led_name(&self, index: u8) -> Option<&'static str> {
        let _ = index;
        None
    }

    /// Switches an LED below [`Platform::led_count`].
    fn led_set(&mut self, index: u8, is_on: bool) {
        let _ = (index, is_on);
    }

    /// Buttons that guests may read.
    fn button_count(&self) -> u8 {
        0
    }

    /// Buttons that are pressed now, one bit each.
    fn buttons(&mut self) -> u32 {
        0
    }

    /// Whether there is an I2C bus that guests may use.
    fn has_i2c(&self) -> bool {
        false
    }

    /// Writes to the device at a 7-bit address, then reads from it; at most 32 bytes each way.
    ///
    /// # Errors
    /// [`BusError`]; what was read is then of no use.
    fn i2c_transfer(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), BusError> {
        let _ = (address, write, read);
        Err(BusError::Failed)
    }

    /// Serial lines that guests may use.
    fn uart_count(&self) -> u8 {
        0
    }

    /// Queues bytes on a line below [`Platform::uart_count`]; answers how many there was room for.
    fn uart_write(&mut self, index: u8, bytes: &[u8]) -> usize {
        let _ = (index, bytes);
        0
    }

    /// Takes bytes that arrived on such a line; answers how many there were.
    fn uart_read(&mut self, index: u8, target: &mut [u8]) -> usize {
        let _ = (index, target);
        0
    }
}

/// Whether the calls of a capability were linked: a constant, so that what needs them goes with them.
pub const fn has<P: Platform>(capability: Capability) -> bool {
    P::CAPABILITIES & capability.bit() != 0
}

/// Why an I2C transfer did not happen, or not to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BusError {
    /// No device answers at the address, or it did not take a byte.
    NoAnswer,
    /// The bus is stuck or lost.
    Failed,
}

/// The board's entropy source gave nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntropyError;

/// What the firmware knows about the board and itself; told to the gateway in Hello.
#[derive(Clone, Copy, Debug)]
pub struct BoardFacts<'a> {
    /// Name of the board, as in `boards/`.
    pub board: &'a str,
    /// Version of the firmware.
    pub firmware: &'a str,
    /// SHA-256 of the board's device tree blob.
    pub dtb_digest: Digest,
    /// Why the board started, as far as the hardware and its handlers know.
    pub reset_reason: ResetReason,
    /// Where it stopped, after a panic or a fault.
    pub fault: Option<FaultRecord>,
}
