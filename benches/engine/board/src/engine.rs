//! The programs, executed by the engine from their images.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m_rt::exception;
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome};

use crate::harness::{count, line, ticks, to_instructions};
use crate::payload::Program;
use crate::slices::interrupt_every;
use crate::stack::stack_of;

/// A time slice of the firmware, 10 ms, at one instruction a cycle of 25 MHz.
const SLICE_INSTRUCTIONS: u32 = 250_000;
/// Slices while looking for the longest hold: short, so that they end at many places.
const SHORT_SLICE_INSTRUCTIONS: u32 = 2_000;
/// A limit that is never reached: what counting costs, not what stopping does.
const FUEL_LIMIT: u64 = 1 << 40;

static SLICE_IS_OVER: AtomicBool = AtomicBool::new(false);

/// When it was over, in ticks.
static OVER_AT: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // The timer goes on; the first time counts.
    if !SLICE_IS_OVER.load(Ordering::Relaxed) {
        OVER_AT.store(ticks(), Ordering::Relaxed);
    }
    SLICE_IS_OVER.store(true, Ordering::Relaxed);
    #[cfg(not(feature = "portable"))]
    // SAFETY: what is measured runs in thread mode on the process stack.
    unsafe {
        wasmbed_engine::preempt(cortex_m::register::psp::read() as *mut _);
    }
}

/// Nothing is imported.
struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
        HostOutcome::Trap
    }
}

/// Runs to the end, slice by slice; gives the number of slices.
fn finish(instance: &mut Instance, image: &[u8], arena: &mut [u8]) -> Option<u32> {
    let mut slices = 1;
    loop {
        SLICE_IS_OVER.store(false, Ordering::Relaxed);
        match instance.run(image, arena, &mut NoHost, &mut &SLICE_IS_OVER) {
            Outcome::SliceEnd => slices += 1,
            Outcome::Finished => return Some(slices),
            _ => return None,
        }
    }
}

/// Runs to the end in slices of changing length; gives the longest time from the end of a slice to
/// the return of the engine, in instructions, and the number of slices.
fn longest_hold(instance: &mut Instance, image: &[u8], arena: &mut [u8]) -> Option<(u32, u32)> {
    let (mut longest, mut slices, mut random) = (0, 0, 1_u32);
    loop {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        SLICE_IS_OVER.store(false, Ordering::Relaxed);
        interrupt_every(SHORT_SLICE_INSTRUCTIONS + (random >> 16) % SHORT_SLICE_INSTRUCTIONS);
        let outcome = instance.run(image, arena, &mut NoHost, &mut &SLICE_IS_OVER);
        let now = ticks();
        interrupt_every(0);
        match outcome {
            Outcome::SliceEnd => {
                slices += 1;
                longest = longest.max(now.wrapping_sub(OVER_AT.load(Ordering::Relaxed)));
            }
            Outcome::Finished => return Some((to_instructions(longest), slices)),
            _ => return None,
        }
    }
}

/// Measures one program.
pub fn run(program: &Program, arena: &mut [u8]) {
    if program.image.is_empty() {
        return;
    }
    let (loaded, instructions) = count(|| Instance::load(program.image, arena));
    let Ok(mut instance) = loaded else {
        line(program.name, "refused", &[]);
        return;
    };
    line(program.name, "load", &[instructions]);
    for (what, limit) in [("engine", None), ("metered", Some(FUEL_LIMIT))] {
        instance.set_fuel_limit(limit);
        let used = instance.fuel_used();
        instance.invoke(program.image, arena, program.function, &program.arguments);
        interrupt_every(SLICE_INSTRUCTIONS);
        let (slices, instructions) = count(|| finish(&mut instance, program.image, arena));
        interrupt_every(0);
        let fuel = (instance.fuel_used() - used) as u32;
        match slices {
            Some(slices) => {
                let result = instance.result() as u32;
                line(program.name, what, &[result, instructions, slices, fuel]);
            }
            None => line(program.name, "trapped", &[]),
        }
    }
    for (what, limit) in [("hold", None), ("hold-metered", Some(FUEL_LIMIT))] {
        instance.set_fuel_limit(limit);
        instance.invoke(program.image, arena, program.function, &program.arguments);
        match longest_hold(&mut instance, program.image, arena) {
            Some((longest, slices)) => {
                line(program.name, what, &[instance.result() as u32, longest, slices]);
            }
            None => line(program.name, "trapped", &[]),
        }
    }
    instance.set_fuel_limit(None);
    instance.invoke(program.image, arena, program.function, &program.arguments);
    // No timer, so it ends in one run.
    SLICE_IS_OVER.store(false, Ordering::Relaxed);
    let run = || instance.run(program.image, arena, &mut NoHost, &mut &SLICE_IS_OVER);
    let (_, stack_bytes) = stack_of(run);
    line(program.name, "ram", &[stack_bytes, size_of::<Instance>() as u32]);
}
