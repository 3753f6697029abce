//! Where things are: the checkout, what is built from it, and the cache outside of it.

use std::path::PathBuf;

/// Root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// Cargo's target directory of the host build.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Downloads and builds that outlive a checkout.
pub fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
    });
    base.join("wasmbed")
}

/// Firmware and device tree blob of each board, as the QEMU manager wants them.
pub fn boards() -> PathBuf {
    target().join("boards")
}

/// The example guests, built.
pub fn guests() -> PathBuf {
    target().join("guests/wasm32v1-none/release")
}

/// The `wasmbed` binary.
pub fn wasmbed() -> PathBuf {
    target().join("debug/wasmbed")
}

/// The `wasmbed` binary that writes a key log; only the test of the wire starts it.
pub fn wasmbed_with_key_log() -> PathBuf {
    target().join("debug/wasmbed-keylog")
}
