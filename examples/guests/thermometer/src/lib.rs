//! Reads a TMP105 temperature sensor once a second and publishes thousandths of a degree Celsius.
//!
//! # Source
//! Texas Instruments SLOS393, TMP105, "Programming": registers 0 (temperature, two bytes, in 1/256
//! degree) and 1 (configuration, bits 6:5 choose 12 bits of resolution).
#![no_std]

use embedded_hal::i2c::I2c as Bus;
use wasmbed_sdk::{I2c, Line, entry, log, telemetry, wait_ms};

const ADDRESS: u8 = 0x48;
const TEMPERATURE: u8 = 0;
const CONFIGURATION: u8 = 1;
const TWELVE_BITS: u8 = 0x60;
const PERIOD_MS: u32 = 1_000;

entry!(run);

fn run() {
    let mut bus = I2c::new();
    if let Err(error) = bus.write(ADDRESS, &[CONFIGURATION, TWELVE_BITS]) {
        log(Line::<48>::new().text("no sensor: ").text(error.text()).as_str());
        return;
    }
    loop {
        match temperature(&mut bus) {
            Ok(millidegrees) => report(millidegrees),
            Err(_) => log("the sensor does not answer any more"),
        }
        wait_ms(PERIOD_MS);
    }
}

/// Thousandths of a degree.
fn temperature<B: Bus>(bus: &mut B) -> Result<i32, B::Error> {
    let mut bytes = [0; 2];
    bus.write_read(ADDRESS, &[TEMPERATURE], &mut bytes)?;
    Ok(i32::from(i16::from_be_bytes(bytes)) * 1000 / 256)
}

fn report(millidegrees: i32) {
    let mut line = Line::<48>::new();
    line.text(if millidegrees < 0 { "-" } else { "" }).number(millidegrees.unsigned_abs());
    log(line.text(" thousandths of a degree").as_str());
    if telemetry("room/temperature", millidegrees.into()).is_err() {
        log("the value was not published");
    }
}
