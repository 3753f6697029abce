//! Modules that misbehave in one way each, and the objects that deploy them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Traps by a division by zero.
pub const DIVIDES_BY_ZERO: &str = r#"(module (memory (export "memory") 0)
  (func (export "_start") i32.const 1 i32.const 0 i32.div_s drop))"#;
/// Never returns, and calls nothing.
pub const LOOPS_FOREVER: &str = r#"(module (memory (export "memory") 0)
  (func (export "_start") (loop $again br $again)))"#;
/// Wants 16 MiB of memory.
pub const TOO_LARGE: &str = r#"(module (memory (export "memory") 256)
  (func (export "_start")))"#;
/// Uses what the engine does not have.
pub const USES_SIMD: &str = r#"(module (memory (export "memory") 0)
  (func (export "_start") v128.const i32x4 1 2 3 4 drop))"#;

/// Divides by zero in a function that another one calls, beside an import.
pub const TRAPS_IN_A_CALL: &str = r#"(module
  (import "wasmbed" "log" (func (param i32 i32)))
  (memory (export "memory") 0)
  (func (export "_start") i32.const 0 call $divide drop)
  (func $divide (param i32) (result i32) i32.const 1 local.get 0 i32.div_s))"#;
/// Writes its arguments to standard output, each behind the other and ended by `|`, by the calls that
/// a program for WASI preview 1 makes.
pub const PRINTS_ARGUMENTS: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 512 (pagesize 1))
  (func (export "_start") (local $at i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 64) (i32.const 256)))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $at) (i32.load (i32.const 4))))
      (if (i32.eqz (i32.load8_u offset=256 (local.get $at)))
        (then (i32.store8 offset=256 (local.get $at) (i32.const 124))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (i32.store8 offset=256 (local.get $at) (i32.const 10))
    (i32.store (i32.const 16) (i32.const 256))
    (i32.store (i32.const 20) (i32.add (local.get $at) (i32.const 1)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;
/// Counts its starts in the device's storage, writes the count, and goes on waiting.
pub const COUNTS_STARTS: &str = r#"(module
  (import "wasmbed" "kv_get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "wasmbed" "kv_set" (func $set (param i32 i32 i32 i32) (result i32)))
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory (export "memory") 8 (pagesize 1))
  (data (i32.const 0) "nstart 0")
  (func (export "_start")
    (drop (call $get (i32.const 0) (i32.const 1) (i32.const 7) (i32.const 1)))
    (i32.store8 (i32.const 7) (i32.add (i32.load8_u (i32.const 7)) (i32.const 1)))
    (drop (call $set (i32.const 0) (i32.const 1) (i32.const 7) (i32.const 1)))
    (call $log (i32.const 1) (i32.const 7))
    (loop $again (call $wait (i32.const 60000)) (br $again))))"#;

/// Answers each message with eight hex digits computed from its bytes, as [`fingerprint`] does.
pub const ANSWERS: &str = r#"(module
  (import "wasmbed" "message_receive" (func $receive (param i32 i32 i32) (result i32)))
  (import "wasmbed" "message_send" (func $send (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 104 (pagesize 1))
  (data (i32.const 0) "answer")
  (func (export "_start") (local $end i32) (local $at i32) (local $sum i32) (local $digit i32)
    (loop $next
      (local.set $end (i32.add (i32.const 16)
        (call $receive (i32.const 16) (i32.const 64) (i32.const -1))))
      (local.set $at (i32.add (i32.const 17) (i32.load8_u (i32.const 16))))
      (local.set $sum (i32.const 0x811c9dc5))
      (block $done (loop $byte
        (br_if $done (i32.ge_s (local.get $at) (local.get $end)))
        (local.set $sum (i32.mul (i32.const 16777619)
          (i32.xor (local.get $sum) (i32.load8_u (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $byte)))
      (local.set $at (i32.const 8))
      (loop $nibble
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (local.set $digit (i32.and (local.get $sum) (i32.const 15)))
        (i32.store8 offset=96 (local.get $at) (i32.add (local.get $digit)
          (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9)))))
        (local.set $sum (i32.shr_u (local.get $sum) (i32.const 4)))
        (br_if $nibble (local.get $at)))
      (drop (call $send (i32.const 0) (i32.const 6) (i32.const 96) (i32.const 8)))
      (br $next))))"#;

/// What [`ANSWERS`] answers: FNV-1a of the bytes, in hex.
pub fn fingerprint(bytes: &[u8]) -> String {
    let sum = bytes
        .iter()
        .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(16_777_619));
    format!("{sum:08x}")
}

/// A module in its binary form.
///
/// # Panics
/// If the text is not WebAssembly.
pub fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// `sha256:` and the hex digest of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A ConfigMap with the module and an Application that runs it on one VirtualDevice's device.
pub fn application(name: &str, module: &[u8], digest: &str, alias: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
         "binaryData": {"module.wasm": STANDARD.encode(module)}},
        {"apiVersion": "wasmbed.github.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
         "spec": {
            "capabilities": ["log", "clock", "timer", "telemetry"],
            "image": {"configMap": {"name": name, "key": "module.wasm", "digest": digest}},
            "selector": {"matchLabels": {"wasmbed.github.io/alias": alias}}}}]})
}

/// The same with capabilities of its own.
pub fn granted(name: &str, module: &[u8], alias: &str, capabilities: &[&str]) -> Value {
    let mut objects = application(name, module, &digest(module), alias);
    objects["items"][1]["spec"]["capabilities"] = json!(capabilities);
    objects
}

/// A VirtualDevice of one board.
pub fn virtual_device(name: &str, board: &str) -> Value {
    json!({"apiVersion": "wasmbed.github.io/v1alpha1", "kind": "VirtualDevice",
        "metadata": {"name": name}, "spec": {"board": board}})
}
