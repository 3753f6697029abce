//! Runs the measured programs on a Cortex-M under QEMU and counts the instructions they execute:
//! natively, by the engine, or by a peer, as the features say. Lines of `program what numbers…` go
//! to semihosting. The programs come in a file that QEMU puts into memory.

#![no_std]
#![no_main]

#[cfg(feature = "engine")]
mod engine;
mod harness;
#[cfg(feature = "footprint")]
mod footprint;
#[cfg(feature = "native")]
mod native;
mod payload;
#[cfg(feature = "engine")]
mod slices;
#[cfg(feature = "engine")]
mod stack;
#[cfg(feature = "wasmi")]
mod wasmi;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    harness::start();
    // SAFETY: here only.
    let arena = unsafe { payload::arena() };
    for program in payload::programs() {
        #[cfg(feature = "native")]
        native::run(&program);
        #[cfg(feature = "engine")]
        engine::run(&program, arena);
        #[cfg(feature = "wasmi")]
        wasmi::run(&program);
        #[cfg(feature = "footprint")]
        harness::line(program.name, "ended", &[footprint::run(&program, arena)]);
        #[cfg(not(feature = "footprint"))]
        harness::line(program.name, "ended", &[program.arguments[0], arena.len() as u32]);
    }
    harness::exit(0)
}
