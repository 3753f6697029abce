//! A device's hardware in memory.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmbed_journal::ram::RamFlash;
use wasmbed_runtime::{BusError, EntropyError, Platform};

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
    /// Which LEDs are lit; as many as there are.
    pub leds: Vec<bool>,
    /// Buttons: how many, and which are pressed.
    pub buttons: (u8, u32),
    /// The device on the I2C bus, if there is a bus: its address and its registers.
    pub i2c: Option<(u8, [u8; 4])>,
    /// Bytes on the serial line for guests, if there is one: written by them, and for them.
    pub uart: Option<(Vec<u8>, Vec<u8>)>,
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
            leds: vec![false; 2],
            buttons: (2, 0),
            i2c: Some((0x48, [1, 2, 3, 4])),
            uart: Some((Vec::new(), Vec::new())),
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

    fn led_count(&self) -> u8 {
        self.leds.len() as u8
    }

    fn led_name(&self, index: u8) -> Option<&'static str> {
        ["green", "red"].get(usize::from(index)).copied()
    }

    fn led_set(&mut self, index: u8, is_on: bool) {
        self.leds[usize::from(index)] = is_on;
    }

    fn button_count(&self) -> u8 {
        self.buttons.0
    }

    fn buttons(&mut self) -> u32 {
        self.buttons.1
    }

    fn has_i2c(&self) -> bool {
        self.i2c.is_some()
    }

    fn i2c_transfer(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), BusError> {
        let Some((own, registers)) = &mut self.i2c else { return Err(BusError::Failed) };
        if *own != address {
            return Err(BusError::NoAnswer);
        }
        let (pointer, values) = write.split_first().unwrap_or((&0, &[]));
        for (offset, value) in values.iter().enumerate() {
            registers[(usize::from(*pointer) + offset) % 4] = *value;
        }
        for (offset, target) in read.iter_mut().enumerate() {
            *target = registers[(usize::from(*pointer) + offset) % 4];
        }
        Ok(())
    }

    fn uart_count(&self) -> u8 {
        u8::from(self.uart.is_some())
    }

    fn uart_write(&mut self, _: u8, bytes: &[u8]) -> usize {
        let Some((written, _)) = &mut self.uart else { return 0 };
        let taken = bytes.len().min(8);
        written.extend(&bytes[..taken]);
        taken
    }

    fn uart_read(&mut self, _: u8, target: &mut [u8]) -> usize {
        let Some((_, arrived)) = &mut self.uart else { return 0 };
        let taken = arrived.len().min(target.len());
        target[..taken].copy_from_slice(&arrived[..taken]);
        arrived.drain(..taken);
        taken
    }
}
