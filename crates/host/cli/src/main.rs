//! The wasmbed binary: one module per role, wiring only.

fn main() {}
