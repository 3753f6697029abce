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

/// A VirtualDevice of one board.
pub fn virtual_device(name: &str, board: &str) -> Value {
    json!({"apiVersion": "wasmbed.github.io/v1alpha1", "kind": "VirtualDevice",
        "metadata": {"name": name}, "spec": {"board": board}})
}
