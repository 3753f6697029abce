//! Logs a counter once a second, for as long as the device lets it.
#![no_std]

use wasmbed_sdk::{Line, entry, log, wait_ms};

const PERIOD_MS: u32 = 1_000;

entry!(run);

fn run() {
    let mut count = 0;
    loop {
        log(Line::<32>::new().text("hello ").number(count).as_str());
        count = count.wrapping_add(1);
        wait_ms(PERIOD_MS);
    }
}
