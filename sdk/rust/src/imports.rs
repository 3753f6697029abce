//! The functions that a device offers. A test compares them with the table in `abi`.

/// Declares functions of a device, and elsewhere functions of the same names that cannot be called:
/// there, what does not need a device can still be tested.
macro_rules! imports {
    ($module:literal { $(fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)?;)* }) => {
        #[cfg(target_family = "wasm")]
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            $(pub(crate) fn $name($($argument: $kind),*) $(-> $result)?;)*
        }

        $(
            #[cfg(not(target_family = "wasm"))]
            pub(crate) unsafe fn $name($(_: $kind),*) $(-> $result)? {
                unimplemented!("there is no device here")
            }
        )*
    };
}

imports! { "wasmbed" {
    fn log(text: *const u8, text_bytes: usize);
    fn clock_monotonic_ms() -> u64;
    fn timer_wait_ms(delay_ms: u32);
    fn telemetry(topic: *const u8, topic_bytes: usize, value: i64) -> i32;
    fn message_send(topic: *const u8, topic_bytes: usize, payload: *const u8, payload_bytes: usize) -> i32;
    fn message_receive(buffer: *mut u8, buffer_bytes: usize, timeout_ms: u32) -> i32;
    fn kv_get(key: *const u8, key_bytes: usize, value: *mut u8, value_bytes: usize) -> i32;
    fn kv_set(key: *const u8, key_bytes: usize, value: *const u8, value_bytes: usize) -> i32;
    fn kv_delete(key: *const u8, key_bytes: usize) -> i32;
    fn led_count() -> i32;
    fn led_set(index: u32, is_on: u32) -> i32;
    fn button_count() -> i32;
    fn button_read(index: u32) -> i32;
    fn button_wait(mask: u32, timeout_ms: u32) -> i32;
    fn i2c_transfer(address: u32, output: *const u8, output_bytes: usize, input: *mut u8, input_bytes: usize) -> i32;
    fn uart_count() -> i32;
    fn uart_write(index: u32, bytes: *const u8, bytes_count: usize) -> i32;
    fn uart_read(index: u32, buffer: *mut u8, buffer_bytes: usize, timeout_ms: u32) -> i32;
    fn stop_requested() -> i32;
} }

imports! { "wasi_snapshot_preview1" {
    fn random_get(buffer: *mut u8, buffer_bytes: usize) -> i32;
} }
