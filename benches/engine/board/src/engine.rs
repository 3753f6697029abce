//! The programs, executed by the engine from their images.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m_rt::exception;
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome};

use crate::harness::{count, line};
use crate::payload::Program;
use crate::slices::interrupt_every;
use crate::stack::stack_of;

/// A time slice of the firmware, 10 ms, at one instruction a cycle of 25 MHz.
const SLICE_INSTRUCTIONS: u32 = 250_000;
/// A limit that is never reached: what counting costs, not what stopping does.
const FUEL_LIMIT: u64 = 1 << 40;

static SLICE_IS_OVER: AtomicBool = AtomicBool::new(false);

#[exception]
fn SysTick() {
    SLICE_IS_OVER.store(true, Ordering::Relaxed);
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
    instance.set_fuel_limit(None);
    instance.invoke(program.image, arena, program.function, &program.arguments);
    let (_, stack_bytes) = stack_of(|| finish(&mut instance, program.image, arena));
    line(program.name, "ram", &[stack_bytes, size_of::<Instance>() as u32]);
}
