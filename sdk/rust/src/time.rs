//! Time: the clock since boot, and waiting.

use crate::imports;

/// Waits for ever, where a call takes a time.
pub const FOREVER: u32 = u32::MAX;

/// Milliseconds since the device booted. Needs the capability `clock`.
pub fn clock_monotonic_ms() -> u64 {
    // SAFETY: the call takes nothing and gives a number.
    unsafe { imports::clock_monotonic_ms() }
}

/// Waits; meanwhile the device does other things. Needs the capability `timer`.
pub fn wait_ms(delay_ms: u32) {
    // SAFETY: the call takes a number and gives nothing.
    unsafe { imports::timer_wait_ms(delay_ms) }
}

/// Whether the device wants the guest to end. A guest that asks this has two seconds from then on to
/// end by itself, and calls that wait come back; one that never asks is stopped at once.
pub fn stop_requested() -> bool {
    // SAFETY: the call takes nothing and gives a number.
    unsafe { imports::stop_requested() != 0 }
}

/// Delays by the trait of embedded-hal. Whole milliseconds, never shorter than asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay;

#[cfg(feature = "embedded-hal")]
impl embedded_hal::delay::DelayNs for Delay {
    fn delay_ns(&mut self, delay_ns: u32) {
        wait_ms(delay_ns.div_ceil(1_000_000));
    }

    fn delay_us(&mut self, delay_us: u32) {
        wait_ms(delay_us.div_ceil(1_000));
    }

    fn delay_ms(&mut self, delay_ms: u32) {
        wait_ms(delay_ms);
    }
}
