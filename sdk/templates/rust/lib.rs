//! {{name}}: switches an LED on and off, and logs what it does.
#![no_std]

use wasmbed_sdk::{Led, entry, log, wait_ms};

const PERIOD_MS: u32 = 500;

entry!(run);

fn run() {
    let mut led = Led::new(0);
    let mut is_on = false;
    loop {
        is_on = !is_on;
        log(match led.set(is_on) {
            Ok(()) if is_on => "on",
            Ok(()) => "off",
            Err(error) => error.text(),
        });
        wait_ms(PERIOD_MS);
    }
}
