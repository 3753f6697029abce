//! The board's clock, and waiting on it without turning in circles.

use crate::board;
use wasmbed_hal::SysTick;

// SAFETY: the board file places SysTick there, and this is its only taker.
/// Time since boot.
pub static CLOCK: SysTick = unsafe { SysTick::new(board::SYSTICK, board::CLOCK_HZ) };

/// Asks `answer` until it gives something, or until `patience_us` have passed, and sleeps in
/// between while `is_idle` holds.
pub fn wait<T>(
    patience_us: u64,
    is_idle: impl Fn() -> bool,
    mut answer: impl FnMut() -> Option<T>,
) -> Option<T> {
    let end = CLOCK.now_us().saturating_add(patience_us);
    loop {
        if let Some(answer) = answer() {
            return Some(answer);
        }
        if CLOCK.now_us() >= end {
            return None;
        }
        sleep(end, &is_idle);
    }
}

/// Sleeps until an interrupt or until `until_us`, if `is_idle` holds. It is asked with interrupts
/// held back, so nothing can slip in between the look and the sleep.
pub fn sleep(until_us: u64, is_idle: impl FnOnce() -> bool) {
    CLOCK.wake_at_us(until_us);
    cortex_m::interrupt::free(|_| {
        if is_idle() {
            cortex_m::asm::wfi();
        }
    });
}
