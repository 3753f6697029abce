//! Runs images on a Cortex-M under QEMU: whole, in slices of random length while another interrupt
//! nests, and with fuel that runs out at many places. What became of each run goes to semihosting, to
//! be compared with the portable executor of the host.

#![no_std]
#![no_main]

mod harness;
mod payload;

use core::ptr::addr_of_mut;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m::peripheral::NVIC;
use cortex_m_rt::{entry, exception};
use harness::{disturb_every, instructions, interrupt_after, line};
use payload::Program;
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome};
use wasmbed_image::Header;

/// Stack of everything but interrupts.
const STACK_WORDS: usize = 4096;
static mut STACK: [u32; STACK_WORDS] = [0; STACK_WORDS];

static SLICE_IS_OVER: AtomicBool = AtomicBool::new(false);
static NESTED: AtomicU32 = AtomicU32::new(0);

/// Timer 1 of these boards.
#[derive(Clone, Copy)]
struct Timer1;

// SAFETY: line 9 is that of timer 1, Arm DAI 0385D, table of interrupts.
unsafe impl cortex_m::interrupt::InterruptNumber for Timer1 {
    fn number(self) -> u16 {
        9
    }
}

#[exception]
fn SysTick() {
    SLICE_IS_OVER.store(true, Ordering::Relaxed);
    #[cfg(not(feature = "portable"))]
    // SAFETY: thread mode runs on the process stack since `main`.
    unsafe {
        wasmbed_engine::preempt(cortex_m::register::psp::read() as *mut _);
    }
}

/// Of lower priority than SysTick, and long enough to be interrupted by it now and then.
#[exception]
unsafe fn DefaultHandler(_: i16) {
    harness::disturbed();
    for _ in 0..10 {
        NESTED.fetch_add(1, Ordering::Relaxed);
    }
}

struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
        HostOutcome::Trap
    }
}

#[entry]
fn main() -> ! {
    let top = addr_of_mut!(STACK).wrapping_add(1).cast();
    harness::on_process_stack(top, run_all)
}

extern "C" fn run_all() -> ! {
    harness::start();
    // SAFETY: SysTick has the higher priority and shares with the handler of timer 1 only atomics.
    unsafe {
        let mut core = cortex_m::Peripherals::steal();
        core.NVIC.set_priority(Timer1, 0x80);
        NVIC::unmask(Timer1);
    }
    for program in payload::programs() {
        run_program(&program);
    }
    harness::exit(0)
}

/// Numbers that look random.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * u64::from(bound)) >> 32) as u32
    }
}

/// A loaded guest at its beginning.
struct Guest<'a> {
    program: &'a Program,
    instance: Instance,
    arena: &'static mut [u8],
    slices: u32,
    /// Instructions of a slice that is over before it began: what lies around the innermost loop.
    entry: u32,
}

impl<'a> Guest<'a> {
    fn load(program: &'a Program) -> Option<Self> {
        // SAFETY: one guest at a time.
        let arena = unsafe { payload::arena(program.arena_bytes) };
        let mut instance = Instance::load(program.image, arena).ok()?;
        instance.invoke(program.image, arena, program.function, &program.arguments);
        let mut guest = Guest { program, instance, arena, slices: 0, entry: 0 };
        SLICE_IS_OVER.store(true, Ordering::Relaxed);
        if cfg!(not(feature = "portable")) {
            let before = instructions();
            guest.slice();
            guest.entry = (instructions() - before) as u32;
        }
        Some(guest)
    }

    fn slice(&mut self) -> Outcome {
        self.instance.run(self.program.image, self.arena, &mut NoHost, &mut &SLICE_IS_OVER)
    }

    /// Runs to something else than the end of a slice; 0 means slices without an end.
    fn run(&mut self, random: &mut Random, longest: u32) -> Outcome {
        loop {
            SLICE_IS_OVER.store(false, Ordering::Relaxed);
            if longest != 0 {
                interrupt_after(self.entry / 2 + random.below(longest));
            }
            let outcome = self.slice();
            interrupt_after(0);
            self.slices += 1;
            if outcome != Outcome::SliceEnd {
                return outcome;
            }
        }
    }

    /// Says what became of the guest. Only what is the same for every executor is told.
    fn tell(&self, what: &str, outcome: Outcome, has_fuel: bool) {
        let (ending, number) = match outcome {
            Outcome::Finished => (1, 0),
            Outcome::OutOfFuel(place) => (2, place.offset),
            Outcome::Trapped(trap, place) => (0x100 + trap as u64, place.offset),
            _ => (3, 0),
        };
        let offset = Header::decode(self.program.image).map_or(0, |header| header.stack_bytes);
        let visible = self.arena.get(offset as usize..).unwrap_or_default();
        let hash = visible.iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let fuel = if has_fuel { self.instance.fuel_used() } else { 0 };
        let result = if matches!(outcome, Outcome::Finished) {
            self.instance.result() & 0xffff_ffff
        } else {
            0
        };
        let numbers = [ending, number.into(), result, fuel, hash.into()];
        line(&[self.program.name, what], &numbers);
    }
}

fn run_program(program: &Program) {
    let mut random = Random(program.image.len() as u32);
    let mut whole = |what, costs, limit: Option<u64>| {
        let mut guest = Guest::load(program)?;
        guest.instance.set_fuel_limit(limit);
        let before = instructions();
        let outcome = guest.run(&mut random, 0);
        let spent = instructions() - before;
        guest.tell(what, outcome, limit.is_some());
        line(&["#", program.name, costs], &[spent]);
        line(&["#", program.name, "entry"], &[guest.entry.into()]);
        Some(guest.instance.fuel_used())
    };
    let unlimited = whole("whole", "instructions", None);
    let fuel = whole("metered", "instructions-metered", Some(u64::MAX));
    let (Some(_), Some(fuel)) = (unlimited, fuel) else {
        return line(&[program.name, "refused"], &[]);
    };
    disturb_every(997);
    for longest in program.slices {
        for limit in [None, Some(u64::MAX)] {
            let Some(mut guest) = Guest::load(program) else { return };
            guest.instance.set_fuel_limit(limit);
            let outcome = guest.run(&mut random, *longest);
            guest.tell("sliced", outcome, limit.is_some());
            line(&["#", program.name, "slices"], &[guest.slices.into()]);
        }
    }
    for index in 0..CUTS {
        cut(program, fuel * index / CUTS, index % 2 == 1, &mut random);
    }
    disturb_every(0);
}

/// Places where fuel runs out, for each program.
const CUTS: u64 = 40;

/// Runs until `limit` is used up, then to the end.
fn cut(program: &Program, limit: u64, is_sliced: bool, random: &mut Random) {
    let Some(mut guest) = Guest::load(program) else { return };
    let longest = match program.slices.last() {
        Some(longest) if is_sliced => *longest,
        _ => 0,
    };
    guest.instance.set_fuel_limit(Some(limit));
    let outcome = guest.run(random, longest);
    guest.tell("cut", outcome, true);
    guest.instance.set_fuel_limit(Some(u64::MAX));
    let outcome = guest.run(random, longest);
    guest.tell("finished", outcome, true);
}
