//! The hardware of a local run: flash in memory or in a file, the host's clock and randomness, and
//! pins that are lines of text.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use wasmbed_catalog::Board;
use wasmbed_journal::file::FileFlash;
use wasmbed_journal::limits::ERASE_BYTES;
use wasmbed_journal::ram::RamFlash;
use wasmbed_runtime::{BusError, EntropyError, Platform};

use crate::error::WorkshopError;
use crate::local::sensor::Sensor;

/// Fuel of a slice: no timer interrupts a local run, so that this bounds how long it does not look
/// after inputs and Ctrl-C. About a millisecond.
const SLICE_FUEL: u64 = 20_000;

/// Something a guest did to a pin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// An LED was switched.
    Led {
        /// Which.
        index: u8,
        /// To what.
        is_on: bool,
    },
    /// Bytes were sent over a serial line.
    Uart {
        /// Which.
        index: u8,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// The hardware under the runtime.
pub struct Hardware {
    flash: LocalFlash,
    start: Instant,
    leds: Vec<bool>,
    buttons: u8,
    uarts: Vec<VecDeque<u8>>,
    sensors: Vec<Sensor>,
    has_i2c: bool,
    pressed: u32,
    stop: &'static AtomicBool,
    /// What guests did since the last look.
    pub actions: Vec<Action>,
}

impl Hardware {
    /// The pins of `board`, with nothing on the bus but `sensors`.
    pub fn new(flash: LocalFlash, board: &Board, sensors: Vec<Sensor>) -> Hardware {
        let hardware = &board.hardware;
        Hardware {
            flash,
            start: Instant::now(),
            leds: vec![false; hardware.leds.into()],
            buttons: hardware.buttons,
            uarts: vec![VecDeque::new(); hardware.uarts.into()],
            sensors,
            has_i2c: hardware.i2c_buses > 0,
            pressed: 0,
            stop: Box::leak(Box::new(AtomicBool::new(false))),
            actions: Vec::new(),
        }
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Presses or releases a button.
    pub fn hold(&mut self, button: u8, is_pressed: bool) {
        let bit = 1_u32.checked_shl(button.into()).unwrap_or(0);
        self.pressed = if is_pressed { self.pressed | bit } else { self.pressed & !bit };
    }

    /// Bytes come in over the first serial line.
    pub fn type_in(&mut self, bytes: &[u8]) {
        if let Some(line) = self.uarts.first_mut() {
            line.extend(bytes);
        }
    }
}

impl Platform for Hardware {
    type Flash = LocalFlash;

    fn flash(&mut self) -> &mut LocalFlash {
        &mut self.flash
    }

    fn entropy(&mut self, target: &mut [u8]) -> Result<(), EntropyError> {
        let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(target));
        read.map_err(|_| EntropyError)
    }

    fn now_us(&mut self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// What guests log is taken from the queue, which says whose it is.
    fn console(&mut self, _: &[u8]) {}

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

    fn led_count(&self) -> u8 {
        self.leds.len() as u8
    }

    fn led_set(&mut self, index: u8, is_on: bool) {
        if let Some(led) = self.leds.get_mut(usize::from(index))
            && *led != is_on
        {
            *led = is_on;
            self.actions.push(Action::Led { index, is_on });
        }
    }

    fn button_count(&self) -> u8 {
        self.buttons
    }

    fn buttons(&mut self) -> u32 {
        self.pressed
    }

    fn has_i2c(&self) -> bool {
        self.has_i2c
    }

    fn i2c_transfer(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), BusError> {
        let mut sensors = self.sensors.iter_mut();
        let answers = |sensor: &mut Sensor| sensor.transfer(write, read);
        match sensors.find(|sensor| sensor.address() == address).is_some_and(answers) {
            true => Ok(()),
            false => Err(BusError::NoAnswer),
        }
    }

    fn uart_count(&self) -> u8 {
        self.uarts.len() as u8
    }

    fn uart_write(&mut self, index: u8, bytes: &[u8]) -> usize {
        self.actions.push(Action::Uart { index, bytes: bytes.to_vec() });
        bytes.len()
    }

    fn uart_read(&mut self, index: u8, target: &mut [u8]) -> usize {
        let Some(line) = self.uarts.get_mut(usize::from(index)) else { return 0 };
        let count = target.len().min(line.len());
        for (target, byte) in target.iter_mut().zip(line.drain(..count)) {
            *target = byte;
        }
        count
    }
}

/// What guests keep: in memory and gone with the run, or in a file.
pub enum LocalFlash {
    /// Gone with the run.
    Memory(RamFlash<{ ERASE_BYTES as usize }>),
    /// Kept.
    File(FileFlash),
}

/// The flash did nothing.
#[derive(Clone, Copy, Debug)]
pub struct FlashFailed(NorFlashErrorKind);

impl NorFlashError for FlashFailed {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl LocalFlash {
    /// The flash in the file at `path`, made if there is none.
    ///
    /// # Errors
    /// [`WorkshopError::Io`] if it cannot be opened or made.
    pub fn kept(path: &Path, capacity_bytes: usize) -> Result<LocalFlash, WorkshopError> {
        let opened = match path.exists() {
            true => FileFlash::open(path),
            false => FileFlash::create(path, capacity_bytes),
        };
        Ok(LocalFlash::File(opened.map_err(WorkshopError::io("open the flash", path))?))
    }
}

fn failed(error: &impl NorFlashError) -> FlashFailed {
    FlashFailed(error.kind())
}

impl ErrorType for LocalFlash {
    type Error = FlashFailed;
}

impl ReadNorFlash for LocalFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashFailed> {
        match self {
            LocalFlash::Memory(flash) => flash.read(offset, bytes).map_err(|e| failed(&e)),
            LocalFlash::File(flash) => flash.read(offset, bytes).map_err(|e| failed(&e)),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            LocalFlash::Memory(flash) => flash.capacity(),
            LocalFlash::File(flash) => flash.capacity(),
        }
    }
}

impl NorFlash for LocalFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = ERASE_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashFailed> {
        match self {
            LocalFlash::Memory(flash) => flash.erase(from, to).map_err(|e| failed(&e)),
            LocalFlash::File(flash) => flash.erase(from, to).map_err(|e| failed(&e)),
        }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashFailed> {
        match self {
            LocalFlash::Memory(flash) => flash.write(offset, bytes).map_err(|e| failed(&e)),
            LocalFlash::File(flash) => flash.write(offset, bytes).map_err(|e| failed(&e)),
        }
    }
}
