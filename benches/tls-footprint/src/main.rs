//! What a TLS session costs on a Cortex-M3, step by step: a recorded flight of a server is played to
//! the client on stm32vldiscovery under QEMU. Lines of `name stack instructions` go to semihosting.
//!
//! The argument `trace N` runs the secret operations with key N instead, for comparing the
//! instructions executed. No UART, no network: nothing of a real firmware is here.

#![no_std]
#![no_main]

mod harness;
#[cfg(feature = "measured")]
mod session;
#[cfg(feature = "measured")]
mod trace;

use cortex_m_rt::entry;
use semihosting_of_qemu::End;

#[entry]
fn main() -> ! {
    harness::start();
    let argument = harness::argument();
    match argument {
        #[cfg(feature = "measured")]
        Some(number) => trace::run(number),
        #[cfg(feature = "measured")]
        None => session::run(),
        #[cfg(not(feature = "measured"))]
        _ => {}
    }
    semihosting_of_qemu::exit(End::Application)
}
