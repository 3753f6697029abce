//! The table of imports: numbers, names, types and what must have been granted.

use crate::{Capability, Import, MODULE, ValueType, WASI_MODULE};

const I32: ValueType = ValueType::I32;
const I64: ValueType = ValueType::I64;

/// Number of `log(text, text_bytes)`: one line to the device's log.
pub const LOG: u16 = 1;

/// Number of `clock_monotonic_ms() -> i64`: milliseconds since the device booted.
pub const CLOCK_MONOTONIC_MS: u16 = 2;

/// Number of `timer_wait_ms(delay_ms)`: parks the guest for an unsigned number of milliseconds.
pub const TIMER_WAIT_MS: u16 = 3;

/// Number of `telemetry(topic, topic_bytes, value: i64) -> status`: publishes one value.
pub const TELEMETRY: u16 = 4;

/// Number of `message_send(topic, topic_bytes, payload, payload_bytes) -> status`: to the cloud and to every
/// other guest whose grant matches.
pub const MESSAGE_SEND: u16 = 5;

/// Number of `message_receive(target, target_bytes, timeout_ms) -> bytes`: the oldest message that waits, as
/// one byte with the topic's length, the topic and the payload; parks until there is one.
pub const MESSAGE_RECEIVE: u16 = 6;

/// Number of `kv_get(key, key_bytes, target, target_bytes) -> bytes`: a value that was kept.
pub const KV_GET: u16 = 7;

/// Number of `kv_set(key, key_bytes, value, value_bytes) -> status`: keeps a value.
pub const KV_SET: u16 = 8;

/// Number of `kv_delete(key, key_bytes) -> status`: forgets a value.
pub const KV_DELETE: u16 = 9;

/// Number of `led_count() -> count`: LEDs of the board.
pub const LED_COUNT: u16 = 10;

/// Number of `led_set(index, is_on) -> status`: switches one.
pub const LED_SET: u16 = 11;

/// Number of `button_count() -> count`: buttons of the board.
pub const BUTTON_COUNT: u16 = 12;

/// Number of `button_read(index) -> 0 or 1`: whether one is pressed now.
pub const BUTTON_READ: u16 = 13;

/// Number of `button_wait(mask, timeout_ms) -> mask`: parks until one of the buttons becomes pressed.
pub const BUTTON_WAIT: u16 = 14;

/// Number of `i2c_transfer(address, write, write_bytes, read, read_bytes) -> status`: writes, then reads.
pub const I2C_TRANSFER: u16 = 15;

/// Number of `uart_count() -> count`: serial lines of the board that guests may use.
pub const UART_COUNT: u16 = 16;

/// Number of `uart_write(index, bytes, bytes_count) -> bytes`: queues what there is room for.
pub const UART_WRITE: u16 = 17;

/// Number of `uart_read(index, target, target_bytes, timeout_ms) -> bytes`: parks until something is there.
pub const UART_READ: u16 = 18;

/// Number of `stop_requested() -> 0 or 1`: whether the guest shall end. Only a guest that imports this is
/// given time to.
pub const STOP_REQUESTED: u16 = 19;

/// Number of `args_sizes_get(count, bytes) -> errno`.
pub const ARGS_SIZES_GET: u16 = 64;

/// Number of `args_get(pointers, text) -> errno`.
pub const ARGS_GET: u16 = 65;

/// Number of `environ_sizes_get(count, bytes) -> errno`.
pub const ENVIRON_SIZES_GET: u16 = 66;

/// Number of `environ_get(pointers, text) -> errno`.
pub const ENVIRON_GET: u16 = 67;

/// Number of `clock_res_get(clock, resolution) -> errno`.
pub const CLOCK_RES_GET: u16 = 68;

/// Number of `clock_time_get(clock, precision: i64, time) -> errno`.
pub const CLOCK_TIME_GET: u16 = 69;

/// Number of `random_get(target, target_bytes) -> errno`.
pub const RANDOM_GET: u16 = 70;

/// Number of `fd_write(descriptor, parts, parts_count, written) -> errno`: 1 and 2 are the log.
pub const FD_WRITE: u16 = 71;

/// Number of `fd_read(descriptor, parts, parts_count, read) -> errno`: 0 is at its end.
pub const FD_READ: u16 = 72;

/// Number of `fd_close(descriptor) -> errno`.
pub const FD_CLOSE: u16 = 73;

/// Number of `fd_seek(descriptor, offset: i64, whence, position) -> errno`.
pub const FD_SEEK: u16 = 74;

/// Number of `fd_fdstat_get(descriptor, stat) -> errno`.
pub const FD_FDSTAT_GET: u16 = 75;

/// Number of `fd_prestat_get(descriptor, stat) -> errno`: there are no directories.
pub const FD_PRESTAT_GET: u16 = 76;

/// Number of `fd_prestat_dir_name(descriptor, path, path_bytes) -> errno`.
pub const FD_PRESTAT_DIR_NAME: u16 = 77;

/// Number of `poll_oneoff(subscriptions, events, count, events_count) -> errno`: clocks only.
pub const POLL_ONEOFF: u16 = 78;

/// Number of `sched_yield() -> errno`: ends the time slice.
pub const SCHED_YIELD: u16 = 79;

/// Number of `proc_exit(code)`: ends the guest.
pub const PROC_EXIT: u16 = 80;

/// Every import, in the order of the numbers.
pub static IMPORTS: [Import; 36] = TABLE;

#[rustfmt::skip]
pub(crate) const TABLE: [Import; 36] = [
    own(LOG, "log", &[I32, I32], None, Some(Capability::Log)),
    own(CLOCK_MONOTONIC_MS, "clock_monotonic_ms", &[], Some(I64), Some(Capability::Clock)),
    own(TIMER_WAIT_MS, "timer_wait_ms", &[I32], None, Some(Capability::Timer)),
    own(TELEMETRY, "telemetry", &[I32, I32, I64], Some(I32), Some(Capability::Telemetry)),
    own(MESSAGE_SEND, "message_send", &[I32, I32, I32, I32], Some(I32), Some(Capability::Send)),
    own(MESSAGE_RECEIVE, "message_receive", &[I32, I32, I32], Some(I32), Some(Capability::Receive)),
    own(KV_GET, "kv_get", &[I32, I32, I32, I32], Some(I32), Some(Capability::Storage)),
    own(KV_SET, "kv_set", &[I32, I32, I32, I32], Some(I32), Some(Capability::Storage)),
    own(KV_DELETE, "kv_delete", &[I32, I32], Some(I32), Some(Capability::Storage)),
    own(LED_COUNT, "led_count", &[], Some(I32), Some(Capability::Led)),
    own(LED_SET, "led_set", &[I32, I32], Some(I32), Some(Capability::Led)),
    own(BUTTON_COUNT, "button_count", &[], Some(I32), Some(Capability::Button)),
    own(BUTTON_READ, "button_read", &[I32], Some(I32), Some(Capability::Button)),
    own(BUTTON_WAIT, "button_wait", &[I32, I32], Some(I32), Some(Capability::Button)),
    own(I2C_TRANSFER, "i2c_transfer", &[I32, I32, I32, I32, I32], Some(I32), Some(Capability::I2c)),
    own(UART_COUNT, "uart_count", &[], Some(I32), Some(Capability::Uart)),
    own(UART_WRITE, "uart_write", &[I32, I32, I32], Some(I32), Some(Capability::Uart)),
    own(UART_READ, "uart_read", &[I32, I32, I32, I32], Some(I32), Some(Capability::Uart)),
    own(STOP_REQUESTED, "stop_requested", &[], Some(I32), None),
    wasi(ARGS_SIZES_GET, "args_sizes_get", &[I32, I32], Some(I32), Some(Capability::Args)),
    wasi(ARGS_GET, "args_get", &[I32, I32], Some(I32), Some(Capability::Args)),
    wasi(ENVIRON_SIZES_GET, "environ_sizes_get", &[I32, I32], Some(I32), Some(Capability::Args)),
    wasi(ENVIRON_GET, "environ_get", &[I32, I32], Some(I32), Some(Capability::Args)),
    wasi(CLOCK_RES_GET, "clock_res_get", &[I32, I32], Some(I32), Some(Capability::Clock)),
    wasi(CLOCK_TIME_GET, "clock_time_get", &[I32, I64, I32], Some(I32), Some(Capability::Clock)),
    wasi(RANDOM_GET, "random_get", &[I32, I32], Some(I32), Some(Capability::Random)),
    wasi(FD_WRITE, "fd_write", &[I32, I32, I32, I32], Some(I32), Some(Capability::Log)),
    wasi(FD_READ, "fd_read", &[I32, I32, I32, I32], Some(I32), None),
    wasi(FD_CLOSE, "fd_close", &[I32], Some(I32), None),
    wasi(FD_SEEK, "fd_seek", &[I32, I64, I32, I32], Some(I32), None),
    wasi(FD_FDSTAT_GET, "fd_fdstat_get", &[I32, I32], Some(I32), None),
    wasi(FD_PRESTAT_GET, "fd_prestat_get", &[I32, I32], Some(I32), None),
    wasi(FD_PRESTAT_DIR_NAME, "fd_prestat_dir_name", &[I32, I32, I32], Some(I32), None),
    wasi(POLL_ONEOFF, "poll_oneoff", &[I32, I32, I32, I32], Some(I32), Some(Capability::Timer)),
    wasi(SCHED_YIELD, "sched_yield", &[], Some(I32), None),
    wasi(PROC_EXIT, "proc_exit", &[I32], None, None),
];

const fn own(
    number: u16,
    name: &'static str,
    params: &'static [ValueType],
    result: Option<ValueType>,
    capability: Option<Capability>,
) -> Import {
    Import { number, module: MODULE, name, params, result, capability }
}

const fn wasi(
    number: u16,
    name: &'static str,
    params: &'static [ValueType],
    result: Option<ValueType>,
    capability: Option<Capability>,
) -> Import {
    Import { number, module: WASI_MODULE, name, params, result, capability }
}
