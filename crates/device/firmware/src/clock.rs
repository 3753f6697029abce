//! The board's clock, and waiting on it without turning in circles.

use crate::board;
use wasmbed_hal::SysTick;

// SAFETY: the board file places SysTick there, and this is its only taker.
/// Time since boot.
pub static CLOCK: SysTick = unsafe { SysTick::new(board::SYSTICK, board::CLOCK_HZ, COUNTER_READ) };

// SAFETY: the board file places the timer there, and this is its only taker.
#[cfg(board_counter = "cmsdk")]
static COUNTER: wasmbed_chip_mps2::Timer = unsafe { wasmbed_chip_mps2::Timer::new(board::COUNTER) };

#[cfg(board_counter = "cmsdk")]
const COUNTER_READ: Option<fn() -> u32> = Some(|| COUNTER.read());
#[cfg(not(board_counter = "cmsdk"))]
const COUNTER_READ: Option<fn() -> u32> = None;

/// Starts the clock at zero.
pub fn start() {
    #[cfg(board_counter = "cmsdk")]
    COUNTER.start();
    CLOCK.start();
}

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
