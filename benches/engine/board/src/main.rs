//! Runs the measured programs on a Cortex-M under QEMU and counts the instructions they execute:
//! natively, by the engine, or by a peer, as the features say. Lines of `program what numbers…` go
//! to semihosting. The programs come in a file that QEMU puts into memory.

#![no_std]
#![no_main]

#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "footprint")]
mod footprint;
mod harness;
#[cfg(feature = "native")]
mod native;
mod payload;
#[cfg(feature = "engine")]
mod slices;
#[cfg(feature = "engine")]
mod stack;
#[cfg(feature = "wasmi")]
mod wasmi;

use core::arch::asm;

use cortex_m_rt::entry;
use semihosting_of_qemu::End;

/// End of the PSRAM: the stack that everything measured runs on, as the firmware's loop has its own.
const STACK_TOP: usize = 0x2200_0000;

#[entry]
fn main() -> ! {
    // SAFETY: the memory below is used by nothing else, and what this stack holds is not needed.
    unsafe {
        asm!(
            "msr psp, {top}",
            "msr control, {select}",
            "isb",
            "bx {body}",
            top = in(reg) STACK_TOP,
            select = in(reg) 2,
            body = in(reg) body as extern "C" fn() -> !,
            options(noreturn)
        )
    }
}

extern "C" fn body() -> ! {
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
    semihosting_of_qemu::exit(End::Application)
}
