//! `cargo xtask bench`: measurements against a peer or a limit, in one run.

use anyhow::{Result, bail};

/// `cargo xtask bench [NAME…]`.
pub fn run(names: &[String], _json: bool) -> Result<()> {
    bail!("not implemented: bench {}", names.join(" "))
}
