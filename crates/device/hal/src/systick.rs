//! Time from the 24-bit timer of the core: one clock that never stops, one deadline, one slice.
//!
//! The timer is reloaded for the next event only, so an idle board wakes about every half second
//! and no more. Each reload loses the few cycles between reading and writing the counter, which
//! are counted as [`RELOAD_CYCLES`]. Where the chip has a counter that is never touched, that one
//! tells the time instead: an emulator on a busy machine reloads late, and time would get lost.

use crate::register::{ReadOnly, ReadWrite};
use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use critical_section::{CriticalSection, Mutex};

/// Register block of SysTick.
///
/// # Source
/// Arm DDI 0403E, ARMv7-M Architecture Reference Manual, section B3.3 "The system timer, SysTick".
#[repr(C)]
pub struct Registers {
    /// 0x00 Control and status. Bit 0: on. Bit 1: interrupt. Bit 2: core clock. Bit 16: wrapped.
    control: ReadWrite<u32>,
    /// 0x04 Reload value, 24 bits.
    reload: ReadWrite<u32>,
    /// 0x08 Current value; any write clears it.
    current: ReadWrite<u32>,
    /// 0x0C Calibration.
    calibration: ReadOnly<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, calibration) == 0x0c);

const ENABLE: u32 = 1 << 0;
const INTERRUPT: u32 = 1 << 1;
const CORE_CLOCK: u32 = 1 << 2;
const WRAPPED: u32 = 1 << 16;

/// Longest reload. Chosen a little below 2^24, so that a late wrap interrupt still finds room.
const RELOAD_MAX: u32 = 0x00ff_0000;

/// Shortest reload: below it the wrap could come before the reload is complete.
const RELOAD_MIN: u32 = 256;

/// Cycles between reading the counter and its restart, counted in the instructions of `rearm`.
const RELOAD_CYCLES: u64 = 8;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// The clock of a board.
pub struct SysTick {
    registers: NonNull<Registers>,
    hz: u32,
    counter: Option<fn() -> u32>,
    state: Mutex<State>,
    is_slice_over: AtomicBool,
}

/// A cell for each: what an interrupt changes is never copied as a whole.
struct State {
    /// Cycles at the last reload; with a counter, when it was last read.
    base: Cell<u64>,
    /// Cycles from then to the next wrap.
    period: Cell<u32>,
    /// When that wrap comes.
    next: Cell<u64>,
    deadline: Cell<u64>,
    slice_end: Cell<u64>,
    /// The counter has not been seen to run since the last reload, so its zero means "not yet".
    /// Otherwise zero means "over", before the wrap is marked: an emulator marks it late.
    is_fresh: Cell<bool>,
}

// SAFETY: the registers are touched only inside of critical sections; all else is atomic.
unsafe impl Sync for SysTick {}

impl SysTick {
    /// Takes the timer that the board file places at `base`, running at `hz`. `counter`, if there
    /// is one, counts up at the same rate for ever.
    ///
    /// # Safety
    /// `base` must be SysTick, mapped for the whole run, and taken only once.
    pub const unsafe fn new(base: usize, hz: u32, counter: Option<fn() -> u32>) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        let registers = unsafe { NonNull::new_unchecked(base as *mut Registers) };
        let state = State {
            base: Cell::new(0),
            period: Cell::new(RELOAD_MAX),
            next: Cell::new(RELOAD_MAX as u64),
            deadline: Cell::new(NEVER),
            slice_end: Cell::new(NEVER),
            is_fresh: Cell::new(true),
        };
        Self {
            registers,
            hz,
            counter,
            state: Mutex::new(state),
            is_slice_over: AtomicBool::new(false),
        }
    }

    fn registers(&self) -> &Registers {
        // SAFETY: `new` promises a mapping that outlives `self`. All fields are volatile cells.
        unsafe { self.registers.as_ref() }
    }

    /// Starts the clock at zero.
    pub fn start(&self) {
        let registers = self.registers();
        registers.reload.write(RELOAD_MAX - 1);
        registers.current.write(0);
        registers.control.write(ENABLE | INTERRUPT | CORE_CLOCK);
    }

    /// Microseconds since [`SysTick::start`].
    pub fn now_us(&self) -> u64 {
        let cycles = critical_section::with(|section| self.cycles(section));
        divide(cycles * 1_000, self.hz / 1_000)
    }

    /// Milliseconds since [`SysTick::start`].
    pub fn now_ms(&self) -> u64 {
        let cycles = critical_section::with(|section| self.cycles(section));
        divide(cycles, self.hz / 1_000)
    }

    fn cycles_of(&self, us: u64) -> u64 {
        divide(us.saturating_mul(u64::from(self.hz / 1_000)), 1_000)
    }

    /// Cycles since start. A wrap that its interrupt has not counted yet is counted here.
    fn cycles(&self, section: CriticalSection<'_>) -> u64 {
        let registers = self.registers();
        let state = self.state.borrow(section);
        let base = state.base.get();
        if let Some(counter) = self.counter {
            // The wraps of the core's timer come often enough for the difference to be short.
            let now = base + u64::from(counter().wrapping_sub(base as u32));
            state.base.set(now);
            return now;
        }
        let mut current = registers.current.read();
        let period = state.period.get();
        // Reading the control register clears the mark, so each wrap is counted once, here or
        // in the interrupt, whoever reads first.
        if registers.control.read() & WRAPPED != 0 {
            state.base.set(base + u64::from(period));
            state.is_fresh.set(true);
            current = registers.current.read();
        }
        let is_fresh = state.is_fresh.get() && current == 0;
        state.is_fresh.set(is_fresh);
        let rest = if is_fresh { period } else { current };
        state.base.get() + u64::from(period.saturating_sub(rest))
    }

    /// Reloads the timer for whatever comes first.
    fn rearm(&self, section: CriticalSection<'_>) {
        let now = self.cycles(section);
        let state = self.state.borrow(section);
        let wanted = state.deadline.get().min(state.slice_end.get()).saturating_sub(now);
        let period = wanted.clamp(u64::from(RELOAD_MIN), u64::from(RELOAD_MAX)) as u32;
        let registers = self.registers();
        registers.reload.write(period - 1);
        registers.current.write(0);
        // With a counter `base` follows that one alone.
        if self.counter.is_none() {
            state.base.set(now + RELOAD_CYCLES);
        }
        state.next.set(now + u64::from(period));
        state.period.set(period);
        state.is_fresh.set(true);
    }

    /// Makes the interrupt come at `us` since start, or soon if that has passed. Replaces the
    /// former deadline.
    pub fn wake_at_us(&self, us: u64) {
        let deadline = self.cycles_of(us);
        critical_section::with(|section| {
            let state = self.state.borrow(section);
            state.deadline.set(deadline);
            // A wrap that comes earlier rearms by itself.
            if deadline < state.next.get() {
                self.rearm(section);
            }
        });
    }

    /// Clears the slice flag and sets it again in `us`.
    pub fn slice_begin(&self, us: u32) {
        self.is_slice_over.store(false, Ordering::Relaxed);
        critical_section::with(|section| {
            let end = self.cycles(section) + self.cycles_of(u64::from(us));
            self.state.borrow(section).slice_end.set(end);
            self.rearm(section);
        });
    }

    /// Forgets the slice. The wrap that it armed comes and finds nothing to do.
    pub fn slice_end(&self) {
        critical_section::with(|section| self.state.borrow(section).slice_end.set(NEVER));
    }

    /// The flag that ends a slice, for whoever polls it.
    pub fn slice_flag(&self) -> &AtomicBool {
        &self.is_slice_over
    }

    /// Cycles from one interrupt of the timer to the next, as it is set now. Adding them up at each
    /// interrupt measures time that an emulator which stood still adds nothing to.
    pub fn period_cycles(&self) -> u32 {
        self.registers().reload.read() + 1
    }

    /// To be called after the timer's interrupt. Whether a slice ended just now.
    pub fn interrupt(&self) -> bool {
        critical_section::with(|section| {
            let now = self.cycles(section);
            let state = self.state.borrow(section);
            let is_slice_over = state.slice_end.get() <= now;
            if is_slice_over {
                state.slice_end.set(NEVER);
                self.is_slice_over.store(true, Ordering::Relaxed);
            }
            if state.deadline.get() <= now {
                state.deadline.set(NEVER);
            }
            self.rearm(section);
            is_slice_over
        })
    }
}

/// `value / by`, for `by` below 2^24: long division, by digits of 16 bits where they fit. The
/// library's needs 88 bytes of stack and more instructions, and every turn of the loop comes here.
fn divide(value: u64, by: u32) -> u64 {
    if by > u32::from(u16::MAX) { by_digits::<8>(value, by) } else { by_digits::<16>(value, by) }
}

/// The same by digits of `BITS` bits, the highest first.
fn by_digits<const BITS: u32>(mut value: u64, by: u32) -> u64 {
    let (mut rest, mut quotient) = (0, 0);
    for _ in 0..u64::BITS / BITS {
        let part = rest << BITS | (value >> (u64::BITS - BITS)) as u32;
        value <<= BITS;
        rest = part % by;
        quotient = quotient << BITS | u64::from(part / by);
    }
    quotient
}

#[cfg(test)]
mod tests;
