//! Reads board.dts, checks it against its bindings, generates Rust.
