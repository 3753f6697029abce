//! What a guest in Rust uses to run on a device: safe functions over the imports, and an entry.
//!
//! Leaves out allocation and formatting: a guest that wants them brings them along. A guest is a
//! `no_std` library (`crate-type = ["cdylib"]`) for the target `wasm32v1-none`:
//!
//! ```text
//! #![no_std]
//!
//! wasmbed_sdk::entry!(run);
//!
//! fn run() {
//!     loop {
//!         wasmbed_sdk::log("still here");
//!         wasmbed_sdk::wait_ms(1_000);
//!     }
//! }
//! ```
//!
//! # Memory
//! A device has little: link with `-zstack-size=1024 --stack-first --page-size=1`, which gives the
//! guest a stack of 1 KB below its data and a memory to the byte instead of 64 KB pages.
#![no_std]

mod imports;
mod text;

pub use text::Line;

/// Why a value was not published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TelemetryError {
    /// The device had no room: the value is lost, and counted as such.
    Dropped,
    /// The topic is too long, or not granted.
    Refused,
}

/// Writes one line to the device's log; what is longer than 256 bytes is cut.
pub fn log(text: &str) {
    // SAFETY: the device reads exactly these bytes, during the call.
    unsafe { imports::log(text.as_ptr(), text.len()) }
}

/// Milliseconds since the device booted.
pub fn clock_monotonic_ms() -> u64 {
    // SAFETY: the call takes nothing and gives a number.
    unsafe { imports::clock_monotonic_ms() }
}

/// Waits; meanwhile the device does other things.
pub fn wait_ms(delay_ms: u32) {
    // SAFETY: the call takes a number and gives nothing.
    unsafe { imports::timer_wait_ms(delay_ms) }
}

/// Publishes one value under a topic of at most 32 bytes.
///
/// # Errors
/// [`TelemetryError`] says whether trying again may help.
pub fn telemetry(topic: &str, value: i64) -> Result<(), TelemetryError> {
    // SAFETY: the device reads exactly these bytes, during the call.
    match unsafe { imports::telemetry(topic.as_ptr(), topic.len(), value) } {
        0 => Ok(()),
        1 => Err(TelemetryError::Dropped),
        _ => Err(TelemetryError::Refused),
    }
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

#[cfg(all(target_family = "wasm", feature = "panic-handler"))]
#[panic_handler]
fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
