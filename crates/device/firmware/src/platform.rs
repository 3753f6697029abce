//! The hardware, as the runtime sees it.

use crate::clock::CLOCK;
use crate::console::{self, Part};
use crate::flash::StoragePort;
use crate::{board, limits, ports, stack};
use core::sync::atomic::AtomicBool;
use wasmbed_link::flash::Nor;
use wasmbed_runtime::{EntropyError, Platform};

/// This board.
pub struct Board {
    flash: Nor<StoragePort>,
}

impl Board {
    /// Opens the flash. `None` if it does not answer.
    pub fn open() -> Option<Self> {
        let mut flash = Nor::new(StoragePort);
        flash.open().ok()?;
        Some(Self { flash })
    }
}

impl Platform for Board {
    type Flash = Nor<StoragePort>;

    /// A program that needs it is larger than what a small board has for guests.
    const HAS_WASI: bool = limits::IS_LARGE;

    /// What does not fit the flash of a small board is left out, and images that need it are refused.
    const CAPABILITIES: u32 = if limits::IS_LARGE { u32::MAX } else { limits::SMALL_CAPABILITIES };

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
}
