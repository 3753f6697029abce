//! Guests in the text format, for tests of what runs them.

/// Logs a decimal counter, one line each `interval_ms`, forever: 0, 1, 2, …
pub fn counter(interval_ms: u32) -> String {
    format!(
        r#"(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory 64 64 (pagesize 1))
  (global $count (mut i32) (i32.const 0))
  {DECIMAL}
  (func (export "run")
    (loop $again
      (call $decimal (global.get $count))
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (call $wait (i32.const {interval_ms}))
      (br $again))))"#
    )
}

/// Writes a number to the log: digits from the end of the first 16 bytes of memory.
const DECIMAL: &str = r"
  (func $decimal (param $rest i32)
    (local $at i32)
    (local.set $at (i32.const 16))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $rest) (i32.const 10))))
      (local.set $rest (i32.div_u (local.get $rest) (i32.const 10)))
      (br_if $digit (local.get $rest)))
    (call $log (local.get $at) (i32.sub (i32.const 16) (local.get $at))))";

/// Logs one line and ends.
pub fn greeting(text: &str) -> String {
    format!(
        r#"(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (memory {bytes} {bytes} (pagesize 1))
  (data (i32.const 0) "{text}")
  (func (export "run") (call $log (i32.const 0) (i32.const {bytes}))))"#,
        bytes = text.len()
    )
}

/// Never ends and never calls the host.
pub const SPIN: &str = r#"(module (func (export "run") (loop $again (br $again))))"#;

/// Executes `unreachable` at once.
pub const TRAP: &str = r#"(module (func (export "run") unreachable))"#;

/// Waits, then executes `unreachable`.
pub fn late_trap(delay_ms: u32) -> String {
    format!(
        r#"(module
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (func (export "run") (call $wait (i32.const {delay_ms})) unreachable))"#
    )
}

/// Publishes 0, 1, 2, … under a topic, one value each `interval_ms`, forever.
pub fn sampler(topic: &str, interval_ms: u32) -> String {
    format!(
        r#"(module
  (import "wasmbed" "telemetry" (func $telemetry (param i32 i32 i64) (result i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory {bytes} {bytes} (pagesize 1))
  (data (i32.const 0) "{topic}")
  (func (export "run")
    (local $value i64)
    (loop $again
      (drop (call $telemetry (i32.const 0) (i32.const {bytes}) (local.get $value)))
      (local.set $value (i64.add (local.get $value) (i64.const 1)))
      (call $wait (i32.const {interval_ms}))
      (br $again))))"#,
        bytes = topic.len()
    )
}

/// A counter whose image is at least `padding_bytes` long, so that it takes several chunks.
pub fn padded_counter(interval_ms: u32, padding_bytes: usize) -> String {
    let memory = format!("(memory {0} {0} (pagesize 1))", 64 + padding_bytes);
    let data = format!("(data (i32.const 64) \"{}\")", "p".repeat(padding_bytes));
    counter(interval_ms).replace("(memory 64 64 (pagesize 1))", &format!("{memory}\n  {data}"))
}
