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
    state: Mutex<Cell<State>>,
    is_slice_over: AtomicBool,
}

#[derive(Clone, Copy)]
struct State {
    /// Cycles at the last reload; with a counter, when it was last read.
    base: u64,
    /// Cycles from then to the next wrap.
    period: u32,
    /// When that wrap comes.
    next: u64,
    deadline: u64,
    slice_end: u64,
    /// The counter has not been seen to run since the last reload, so its zero means "not yet".
    /// Otherwise zero means "over", before the wrap is marked: an emulator marks it late.
    is_fresh: bool,
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
            base: 0,
            period: RELOAD_MAX,
            next: RELOAD_MAX as u64,
            deadline: NEVER,
            slice_end: NEVER,
            is_fresh: true,
        };
        Self {
            registers,
            hz,
            counter,
            state: Mutex::new(Cell::new(state)),
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
        cycles * 1_000 / u64::from(self.hz / 1_000)
    }

    fn cycles_of(&self, us: u64) -> u64 {
        us.saturating_mul(u64::from(self.hz / 1_000)) / 1_000
    }

    /// Cycles since start. A wrap that its interrupt has not counted yet is counted here.
    fn cycles(&self, section: CriticalSection<'_>) -> u64 {
        let registers = self.registers();
        let cell = self.state.borrow(section);
        let mut state = cell.get();
        if let Some(counter) = self.counter {
            // The wraps of the core's timer come often enough for the difference to be short.
            state.base += u64::from(counter().wrapping_sub(state.base as u32));
            cell.set(state);
            return state.base;
        }
        let mut current = registers.current.read();
        // Reading the control register clears the mark, so each wrap is counted once, here or
        // in the interrupt, whoever reads first.
        if registers.control.read() & WRAPPED != 0 {
            state.base += u64::from(state.period);
            state.is_fresh = true;
            current = registers.current.read();
        }
        state.is_fresh &= current == 0;
        cell.set(state);
        let rest = if state.is_fresh { state.period } else { current };
        state.base + u64::from(state.period.saturating_sub(rest))
    }

    /// Reloads the timer for whatever comes first.
    fn rearm(&self, section: CriticalSection<'_>) {
        let now = self.cycles(section);
        let cell = self.state.borrow(section);
        let mut state = cell.get();
        let wanted = state.deadline.min(state.slice_end).saturating_sub(now);
        let period = wanted.clamp(u64::from(RELOAD_MIN), u64::from(RELOAD_MAX)) as u32;
        let registers = self.registers();
        registers.reload.write(period - 1);
        registers.current.write(0);
        // With a counter `base` follows that one alone.
        if self.counter.is_none() {
            state.base = now + RELOAD_CYCLES;
        }
        state.next = now + u64::from(period);
        state.period = period;
        state.is_fresh = true;
        cell.set(state);
    }

    /// Makes the interrupt come at `us` since start, or soon if that has passed. Replaces the
    /// former deadline.
    pub fn wake_at_us(&self, us: u64) {
        critical_section::with(|section| {
            let deadline = self.cycles_of(us);
            let cell = self.state.borrow(section);
            let mut state = cell.get();
            let next = state.next;
            state.deadline = deadline;
            cell.set(state);
            // A wrap that comes earlier rearms by itself.
            if deadline < next {
                self.rearm(section);
            }
        });
    }

    /// Clears the slice flag and sets it again in `us`.
    pub fn slice_begin(&self, us: u32) {
        self.is_slice_over.store(false, Ordering::Relaxed);
        critical_section::with(|section| {
            let end = self.cycles(section) + self.cycles_of(u64::from(us));
            let cell = self.state.borrow(section);
            let mut state = cell.get();
            state.slice_end = end;
            cell.set(state);
            self.rearm(section);
        });
    }

    /// Forgets the slice. The wrap that it armed comes and finds nothing to do.
    pub fn slice_end(&self) {
        critical_section::with(|section| {
            let cell = self.state.borrow(section);
            let mut state = cell.get();
            state.slice_end = NEVER;
            cell.set(state);
        });
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
            let cell = self.state.borrow(section);
            let mut state = cell.get();
            let is_slice_over = state.slice_end <= now;
            if is_slice_over {
                state.slice_end = NEVER;
                self.is_slice_over.store(true, Ordering::Relaxed);
            }
            if state.deadline <= now {
                state.deadline = NEVER;
            }
            cell.set(state);
            self.rearm(section);
            is_slice_over
        })
    }
}

#[cfg(test)]
mod tests;
