//! What a guest in Rust uses to run on a device: safe functions over the imports, drivers' traits on
//! top of them, and an entry.
//!
//! Works without `std` and without allocation. Such a guest is a library
//! (`crate-type = ["cdylib"]`) for the target `wasm32v1-none`; `wasmbed new` makes one:
//!
//! ```text
//! #![no_std]
//!
//! use wasmbed_sdk::{Led, entry, log, wait_ms};
//!
//! entry!(run);
//!
//! fn run() {
//!     let mut led = Led::new(0);
//!     loop {
//!         let _ = led.set(true);
//!         log("on");
//!         wait_ms(1_000);
//!         let _ = led.set(false);
//!         wait_ms(1_000);
//!     }
//! }
//! ```
//!
//! An ordinary program with `fn main` and `println!` runs as well, built for `wasm32-wasip1`; it uses
//! this crate for what the standard library does not have.
//!
//! # Capabilities
//! Each import that a guest uses must be granted by its Application: `led` for LEDs, `log` for lines.
//! What is not used is not imported, so it needs no grant.
//!
//! # Memory
//! A device has little: link with `-zstack-size=1024 --stack-first --page-size=1`, which gives the
//! guest a stack of 1 KB below its data and a memory to the byte instead of 64 KB pages. With the
//! stack first, a guest that uses more of it ends in a trap instead of writing over its own data.
#![no_std]

mod error;
#[cfg(feature = "alloc")]
mod heap;
mod imports;
#[cfg(all(target_family = "wasm", not(target_os = "wasi"), feature = "panic-handler"))]
mod panic;
mod print;
mod random;
mod text;
mod time;

pub mod button;
pub mod i2c;
pub mod led;
pub mod message;
pub mod storage;
pub mod uart;

pub use button::Button;
pub use error::Error;
#[cfg(feature = "alloc")]
pub use heap::Heap;
pub use i2c::I2c;
pub use led::Led;
pub use print::print_line;
pub use random::random;
pub use text::Line;
pub use time::{Delay, FOREVER, clock_monotonic_ms, stop_requested, wait_ms};
pub use uart::Uart;

/// Writes one line to the device's log; what is longer than 256 bytes is cut. Needs the capability
/// `log`.
pub fn log(text: &str) {
    // SAFETY: the device reads exactly these bytes, during the call.
    unsafe { imports::log(text.as_ptr(), text.len()) }
}

/// Publishes one value under a topic of at most 32 bytes. Needs the capability `telemetry`, which
/// may be narrowed to topics that begin alike.
///
/// # Errors
/// [`Error::Dropped`] if there was no room, [`Error::Refused`] for another topic than granted,
/// [`Error::TooOften`] above the granted rate.
pub fn telemetry(topic: &str, value: i64) -> Result<(), Error> {
    // SAFETY: the device reads exactly these bytes, during the call.
    error::done(unsafe { imports::telemetry(topic.as_ptr(), topic.len(), value) })
}

/// Makes a function the guest's entry.
#[macro_export]
macro_rules! entry {
    ($function:path) => {
        #[unsafe(export_name = "run")]
        extern "C" fn wasmbed_entry() {
            $function()
        }
    };
}
