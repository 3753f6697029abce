//! Resets a firmware that is stuck. The loop gives word at each turn; nothing else does.
//!
//! Two things listen. The timer of the core does, above all other interrupts, and finds out where
//! the loop hangs. The watchdog of the chip does too, for longer: it also finds a firmware that
//! holds interrupts back.

use crate::clock::CLOCK;
use crate::{board, fault, limits};
use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::peripheral::SCB;

#[cfg(board_watchdog = "cmsdk")]
use wasmbed_chip_mps2::Watchdog;
#[cfg(board_watchdog = "stm32")]
use wasmbed_chip_stm32::Watchdog;

// SAFETY: the board file places the watchdog there, and this is its only taker.
#[cfg(not(board_watchdog = "none"))]
static WATCHDOG: Watchdog = unsafe { Watchdog::new(board::WATCHDOG) };

/// Cycles of the core since the loop gave word, as far as the interrupt has counted.
static SILENT: AtomicU32 = AtomicU32::new(0);

/// Cycles without a word after which the firmware is stuck.
const PATIENCE: u32 = board::CLOCK_HZ * limits::STUCK_SECONDS;

/// Starts the watch: the first word is due.
pub fn start() {
    #[cfg(board_watchdog = "cmsdk")]
    WATCHDOG.start(board::WATCHDOG_HZ * limits::STUCK_SECONDS);
    #[cfg(board_watchdog = "stm32")]
    WATCHDOG.start();
}

/// The loop's word.
pub fn feed() {
    SILENT.store(0, Ordering::Relaxed);
    #[cfg(not(board_watchdog = "none"))]
    WATCHDOG.feed();
}

/// Counts time, and stops the board if it has been too long. `frame` is what the interrupt saved of
/// the code that it interrupted.
fn count(cycles: u32, frame: usize) {
    let silent = SILENT.load(Ordering::Relaxed).saturating_add(cycles);
    SILENT.store(silent, Ordering::Relaxed);
    if silent >= PATIENCE {
        fault::stuck(frame);
    }
}

/// The watchdog's period is over, and the reset comes with the next. Once that is put off: a clock
/// that ran on while an emulator stood still is no proof.
#[cfg(board_watchdog = "cmsdk")]
pub extern "C" fn expired(frame: usize) {
    count(PATIENCE / 2, frame);
    WATCHDOG.feed();
}

/// The timer of the core came round.
pub extern "C" fn tick(frame: usize) {
    SCB::set_pendsv();
    count(CLOCK.period_cycles(), frame);
}
