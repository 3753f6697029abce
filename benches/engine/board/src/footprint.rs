//! The least that a device does with a guest, for what it adds to a binary.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m_rt::exception;
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome};

use crate::payload::Program;

static SLICE_IS_OVER: AtomicBool = AtomicBool::new(false);

#[exception]
fn SysTick() {
    SLICE_IS_OVER.store(true, Ordering::Relaxed);
    #[cfg(not(feature = "portable"))]
    // SAFETY: what is measured runs in thread mode on the process stack.
    unsafe {
        wasmbed_engine::preempt(cortex_m::register::psp::read() as *mut _);
    }
}

struct Nothing;

impl Host for Nothing {
    #[inline(never)]
    fn call(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        match memory.get(args.word(0) as usize) {
            Some(byte) => HostOutcome::Return(u64::from(*byte) + args.long(1)),
            None if import == 0 => HostOutcome::Park,
            None => HostOutcome::Exit(1),
        }
    }
}

/// Loads and runs a guest; gives how it ended.
pub fn run(program: &Program, arena: &mut [u8]) -> u32 {
    let Ok(mut instance) = Instance::load(program.image, arena) else { return 1 };
    instance.set_fuel_limit(Some(u64::from(program.arguments[0])));
    loop {
        SLICE_IS_OVER.store(false, Ordering::Relaxed);
        match instance.run(program.image, arena, &mut Nothing, &mut &SLICE_IS_OVER) {
            Outcome::SliceEnd => {}
            Outcome::Parked => instance.complete(instance.fuel_used()),
            Outcome::Finished => return 0,
            Outcome::Exited(code) => return code,
            Outcome::OutOfFuel(place) => return place.offset,
            Outcome::Trapped(trap, place) => return trap as u32 + place.offset,
        }
    }
}
