//! Ends time slices with a timer, and disturbs the one with another: an interrupt that interrupts the
//! end of a slice, or one that a slice's end interrupts.

use core::ptr::{read_volatile, write_volatile};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use wasmbed_engine::{Host, Instance, Outcome};
use wasmbed_engine_batch::{Item, Runner};

/// Interrupt lines of the two timers.
///
/// # Source
/// Arm DAI 0385D, Application Note AN385, "Interrupts".
pub const SLICE_LINE: i16 = 8;
/// The line of the timer whose handler interrupts the other one's, or is interrupted by it.
pub const NESTED_LINE: i16 = 9;

/// Blocks of the CMSDK timers: control, value, reload, interrupt.
///
/// # Source
/// Arm DAI 0385D, Application Note AN385, "Memory map".
const SLICE_TIMER: usize = 0x4000_0000;
const NESTED_TIMER: usize = 0x4000_1000;
/// Offsets of their registers.
///
/// # Source
/// Arm DDI 0479C, Cortex-M System Design Kit TRM, "APB timer", programmers model.
const CONTROL: usize = 0;
const VALUE: usize = 4;
const RELOAD: usize = 8;
const INTERRUPT: usize = 12;
/// Control: on, with interrupt.
const ON: u32 = 1 | 1 << 3;

/// Ticks of the longest pause between two nested interrupts: short enough to meet many slices.
const NESTED_TICKS_MAX: u32 = 2_000;

static IS_OVER: AtomicBool = AtomicBool::new(false);
static TAKEN: AtomicU32 = AtomicU32::new(0);
static IN_CORE: AtomicU32 = AtomicU32::new(0);
static IN_HANDLER: AtomicU32 = AtomicU32::new(0);
static NESTED: AtomicU32 = AtomicU32::new(0);
/// Ticks that pass before the innermost loop is reached: a slice that ends earlier makes no progress,
/// so short slices are this much longer. Found by trying.
static LEAD_TICKS: AtomicU32 = AtomicU32::new(0);
static NESTED_SEED: AtomicU32 = AtomicU32::new(0);

fn write(timer: usize, register: usize, value: u32) {
    // SAFETY: the callers pass registers of the two timers, which every MPS2 board has.
    unsafe { write_volatile((timer + register) as *mut u32, value) };
}

fn set(timer: usize, ticks: u32) {
    write(timer, CONTROL, 0);
    write(timer, INTERRUPT, 1);
    if ticks > 0 {
        write(timer, RELOAD, ticks);
        write(timer, VALUE, ticks);
        write(timer, CONTROL, ON);
    }
}

/// Enables both lines.
pub fn start() {
    /// Interrupt set-enable register.
    ///
    /// # Source
    /// Armv7-M Architecture Reference Manual, section B3.4.
    const NVIC_ISER: *mut u32 = 0xe000_e100 as *mut u32;
    rank(true);
    // SAFETY: the register exists on every Armv7-M core.
    unsafe { write_volatile(NVIC_ISER, 1 << SLICE_LINE | 1 << NESTED_LINE) };
}

/// Whether the nested interrupt comes before the slice's end, or after it.
fn rank(is_nested_first: bool) {
    /// Interrupt priority register of lines 8 to 11; the lower the number, the more urgent.
    ///
    /// # Source
    /// Armv7-M Architecture Reference Manual, section B3.4.
    const NVIC_IPR2: *mut u32 = 0xe000_e408 as *mut u32;
    const SLICE: u32 = 0x80;
    let nested = if is_nested_first { 0x40 } else { 0xc0 };
    // SAFETY: the register exists on every Armv7-M core, and interrupts do not write it.
    let others = unsafe { read_volatile(NVIC_IPR2) } & 0xffff_0000;
    // SAFETY: as above; the bytes are those of lines 8 and 9.
    unsafe { write_volatile(NVIC_IPR2, others | nested << 8 | SLICE) };
}

/// The slice is over.
pub fn slice_interrupt() {
    set(SLICE_TIMER, 0);
    IS_OVER.store(true, Ordering::Relaxed);
    TAKEN.fetch_add(1, Ordering::Relaxed);
    if has_interrupted_a_handler() {
        IN_HANDLER.fetch_add(1, Ordering::Relaxed);
    }
    #[cfg(not(feature = "portable"))]
    preempt();
}

fn has_interrupted_a_handler() -> bool {
    /// Interrupt control and state; bit 11, RETTOBASE: no other exception is active.
    ///
    /// # Source
    /// Armv7-M Architecture Reference Manual, section B3.2.
    const ICSR: *const u32 = 0xe000_ed04 as *const u32;
    // SAFETY: the register exists on every Armv7-M core, and reading it changes nothing.
    let state = unsafe { read_volatile(ICSR) };
    state & 1 << 11 == 0
}

/// Stops the assembly core.
#[cfg(not(feature = "portable"))]
fn preempt() {
    let frame = cortex_m::register::psp::read() as *mut wasmbed_engine::ExceptionFrame;
    // SAFETY: the loop is on the process stack and interrupts on the other one, so what the
    // processor stacked of the loop lies there, whatever was interrupted since.
    let before = unsafe { (*frame).r12 };
    // SAFETY: as above.
    unsafe { wasmbed_engine::preempt(frame) };
    // SAFETY: as above.
    if unsafe { (*frame).r12 } != before {
        IN_CORE.fetch_add(1, Ordering::Relaxed);
    }
}

/// Interrupts whatever runs, or all but the handler above.
pub fn nested_interrupt() {
    let seed = random(NESTED_SEED.load(Ordering::Relaxed));
    NESTED_SEED.store(seed, Ordering::Relaxed);
    NESTED.fetch_add(1, Ordering::Relaxed);
    set(NESTED_TIMER, 1 + seed % NESTED_TICKS_MAX);
}

/// Slices taken, those of them that hit the innermost loop, those that hit the other handler, and
/// nested interrupts.
pub fn counts() -> [u32; 4] {
    [&TAKEN, &IN_CORE, &IN_HANDLER, &NESTED].map(|count| count.load(Ordering::Relaxed))
}

fn random(seed: u32) -> u32 {
    let seed = seed ^ seed << 13;
    let seed = seed ^ seed >> 17;
    seed ^ seed << 5
}

/// The slices of one item.
pub struct Slices {
    /// 0 if there are none.
    seed: u32,
    ticks_max: u32,
}

impl Slices {
    /// As the item asks.
    pub fn new(item: &Item<'_>) -> Slices {
        if item.slice_seed != 0 {
            NESTED_SEED.store(item.slice_seed | 1, Ordering::Relaxed);
            rank(item.slice_seed.count_ones().is_multiple_of(2));
            set(NESTED_TIMER, NESTED_TICKS_MAX);
        }
        Slices { seed: item.slice_seed, ticks_max: item.slice_max.max(1) }
    }

    /// No more interrupts.
    pub fn end(self) {
        set(SLICE_TIMER, 0);
        set(NESTED_TIMER, 0);
    }
}

impl Slices {
    /// Lets the next slice begin a little later if this one ended before it began.
    fn adjust(&self, outcome: Outcome, was_in_core: bool) {
        let lead = LEAD_TICKS.load(Ordering::Relaxed);
        let next = match (outcome, was_in_core) {
            (Outcome::SliceEnd, false) => lead + 2,
            (Outcome::SliceEnd, true) => lead.saturating_sub(1),
            _ => lead,
        };
        LEAD_TICKS.store(next, Ordering::Relaxed);
    }
}

impl Runner for Slices {
    fn run(
        &mut self,
        instance: &mut Instance,
        image: &[u8],
        arena: &mut [u8],
        host: &mut dyn Host,
    ) -> Outcome {
        IS_OVER.store(false, Ordering::Relaxed);
        if self.seed != 0 {
            self.seed = random(self.seed);
            let lead = LEAD_TICKS.load(Ordering::Relaxed);
            set(SLICE_TIMER, 1 + lead + self.seed % self.ticks_max);
        }
        let in_core = IN_CORE.load(Ordering::Relaxed);
        let outcome = instance.run(image, arena, host, &mut &IS_OVER);
        if self.seed != 0 {
            set(SLICE_TIMER, 0);
            if cfg!(not(feature = "portable")) {
                self.adjust(outcome, IN_CORE.load(Ordering::Relaxed) != in_core);
            }
        }
        outcome
    }
}
