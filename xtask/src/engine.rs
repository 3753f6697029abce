//! The engine's tests: the runner for boards, the official suite, the comparison with other engines.

use anyhow::{Context, Result};

use crate::{paths, process, setup};

/// Targets of the boards that run batches of work: without and with a floating-point unit.
const TARGETS: [&str; 2] = ["thumbv7m-none-eabi", "thumbv7em-none-eabihf"];

/// The package with the tests.
pub const PACKAGE: &str = "wasmbed-engine-tests";

/// Builds the runner for both boards.
pub fn build_runner() -> Result<()> {
    for target in TARGETS {
        let mut cargo = setup::cargo(target)?;
        cargo.current_dir(paths::root().join("tests/engine/runner"));
        cargo.args(["build", "--quiet", "--release", "--target", target, "--target-dir"]);
        cargo.arg(paths::target().join("runner"));
        process::capture(&mut cargo).with_context(|| format!("the runner for {target}"))?;
    }
    Ok(())
}

/// What tests need to find the runner.
pub fn environment() -> (&'static str, std::ffi::OsString) {
    ("WASMBED_ENGINE_RUNNER", paths::target().join("runner").into_os_string())
}
