//! The functions that a device offers. A test compares them with the table in `abi`.

#[cfg(target_family = "wasm")]
#[link(wasm_import_module = "wasmbed")]
unsafe extern "C" {
    pub(crate) fn log(text: *const u8, text_bytes: usize);
    pub(crate) fn clock_monotonic_ms() -> u64;
    pub(crate) fn timer_wait_ms(delay_ms: u32);
    pub(crate) fn telemetry(topic: *const u8, topic_bytes: usize, value: i64) -> u32;
}

/// Elsewhere there is no device: what does not need one can still be tested.
#[cfg(not(target_family = "wasm"))]
mod elsewhere {
    pub(crate) unsafe fn log(_: *const u8, _: usize) {
        unimplemented!("there is no device here")
    }

    pub(crate) unsafe fn clock_monotonic_ms() -> u64 {
        unimplemented!("there is no device here")
    }

    pub(crate) unsafe fn timer_wait_ms(_: u32) {
        unimplemented!("there is no device here")
    }

    pub(crate) unsafe fn telemetry(_: *const u8, _: usize, _: i64) -> u32 {
        unimplemented!("there is no device here")
    }
}

#[cfg(not(target_family = "wasm"))]
pub(crate) use elsewhere::*;
