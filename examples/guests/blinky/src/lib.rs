//! Counts in binary on the board's LEDs, by the traits that drivers are written for.
#![no_std]

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use wasmbed_sdk::{Delay, Led, Line, entry, log};

const PERIOD_MS: u32 = 250;

entry!(run);

fn run() {
    let mut leds = [Led::new(0), Led::new(1)];
    log(Line::<32>::new().number(Led::count()).text(" LEDs on this board").as_str());
    for count in 0.. {
        show(&mut leds, count);
        Delay.delay_ms(PERIOD_MS);
    }
}

/// Shows the lowest bits of a number. A pin that is not there stays dark, and that is no fault.
fn show(pins: &mut [impl OutputPin], number: u32) {
    for (index, pin) in pins.iter_mut().enumerate() {
        let _ = pin.set_state((number >> index & 1 != 0).into());
    }
}
