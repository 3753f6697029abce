//! `cargo xtask demo`: the whole way, each step seen and timed.

use anyhow::{Result, bail};

/// `cargo xtask demo`.
pub fn run(_once: bool, _board: &str) -> Result<()> {
    bail!("not implemented: demo")
}
