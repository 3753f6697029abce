//! Measures how late it is woken, and publishes the mean and the maximum of eight times.
//!
//! This is a value that every board has: no sensor is needed, and a busy device shows in it.
#![no_std]

use wasmbed_sdk::{Line, clock_monotonic_ms, entry, log, telemetry, wait_ms};

const PERIOD_MS: u32 = 250;
const SAMPLES: u32 = 8;

entry!(run);

fn run() {
    log("sampler started");
    let mut lost: u32 = 0;
    loop {
        let (mean_ms, max_ms) = measure();
        let results =
            [telemetry("late/mean", mean_ms.into()), telemetry("late/max", max_ms.into())];
        let lost_now = results.iter().filter(|result| result.is_err()).count() as u32;
        if lost_now > 0 {
            lost = lost.saturating_add(lost_now);
            log(Line::<32>::new().text("values lost: ").number(lost).as_str());
        }
    }
}

/// Mean and maximum of how many milliseconds later than asked for the guest was woken.
fn measure() -> (u32, u32) {
    let mut sum_ms: u32 = 0;
    let mut max_ms: u32 = 0;
    for _ in 0..SAMPLES {
        let before_ms = clock_monotonic_ms();
        wait_ms(PERIOD_MS);
        let waited_ms = clock_monotonic_ms().wrapping_sub(before_ms) as u32;
        let late_ms = waited_ms.saturating_sub(PERIOD_MS);
        sum_ms = sum_ms.saturating_add(late_ms);
        max_ms = max_ms.max(late_ms);
    }
    (sum_ms / SAMPLES, max_ms)
}
