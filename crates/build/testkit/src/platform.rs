//! A device's hardware in memory.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmbed_journal::ram::RamFlash;
use wasmbed_runtime::{EntropyError, Platform};

use crate::choices::Choices;

/// Fuel of one slice: small, so that guests that never end are preempted often.
const SLICE_FUEL: u64 = 5_000;

/// Flash, entropy, clock and console of one simulated device.
#[derive(Debug)]
pub struct SimulatedPlatform {
    /// The flash: survives a power cut, can be damaged.
    pub flash: RamFlash<4096>,
    /// Lines shown on the console since power came.
    pub console: Vec<String>,
    /// Whether the entropy source works.
    pub has_entropy: bool,
    /// What the device says of its stack.
    pub stack_high_water_bytes: Option<u32>,
    clock_ms: Rc<Cell<u64>>,
    choices: Choices,
    stop: &'static AtomicBool,
}

impl SimulatedPlatform {
    /// Hardware with this flash.
    pub fn new(flash: RamFlash<4096>, clock_ms: Rc<Cell<u64>>, choices: Choices) -> Self {
        let stop = Box::leak(Box::new(AtomicBool::new(false)));
        Self {
            flash,
            console: Vec::new(),
            has_entropy: true,
            stack_high_water_bytes: None,
            clock_ms,
            choices,
            stop,
        }
    }
}

impl Platform for SimulatedPlatform {
    type Flash = RamFlash<4096>;

    fn flash(&mut self) -> &mut Self::Flash {
        &mut self.flash
    }

    fn entropy(&mut self, target: &mut [u8]) -> Result<(), EntropyError> {
        if !self.has_entropy {
            return Err(EntropyError);
        }
        self.choices.fill(target);
        Ok(())
    }

    fn now_us(&mut self) -> u64 {
        self.clock_ms.get() * 1000
    }

    fn console(&mut self, line: &[u8]) {
        self.console.push(String::from_utf8_lossy(line).into_owned());
    }

    fn stop_flag(&self) -> &'static AtomicBool {
        self.stop
    }

    fn slice_begin(&mut self, _: u32) {
        self.stop.store(false, Ordering::Relaxed);
    }

    fn slice_end(&mut self) {}

    fn slice_fuel(&self) -> Option<u64> {
        Some(SLICE_FUEL)
    }

    fn stack_high_water_bytes(&mut self) -> Option<u32> {
        self.stack_high_water_bytes
    }
}
