//! The engine's tests: the runner for boards, the official suite, the comparison with other engines.

use std::ffi::OsString;
use std::sync::OnceLock;

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

/// What tests need to find the runner and the measured programs, where those were built, and the
/// seed if one was asked for.
pub fn environment() -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        ("WASMBED_ENGINE_RUNNER", paths::target().join("runner").into_os_string()),
        ("WASMBED_BENCH_PROGRAMS", paths::cache().join("bench/wasm").into_os_string()),
    ];
    variables.extend(seed_variable());
    variables
}

/// The seed for tests that draw, if one was asked for.
pub fn seed_variable() -> Option<(&'static str, OsString)> {
    SEED.get().map(|seed| ("WASMBED_SEED", seed.to_string().into()))
}

/// The seed of this process's tests.
static SEED: OnceLock<u64> = OnceLock::new();

/// Makes generated modules begin at a seed.
pub fn set_seed(seed: Option<u64>) {
    if let Some(seed) = seed {
        SEED.get_or_init(|| seed);
    }
}
