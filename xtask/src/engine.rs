//! The engine's tests: the runner for boards, the official suite, the comparison with other engines.

use anyhow::{Context, Result};

use crate::{paths, process, setup};

/// Targets of the boards that run batches of work: without and with a floating-point unit.
const TARGETS: [&str; 2] = ["thumbv7m-none-eabi", "thumbv7em-none-eabihf"];

/// The package with the tests.
pub const PACKAGE: &str = "wasmbed-engine-tests";

/// Builds the runner for both boards.
pub fn build_runner() -> Result<()> {
    build("tests/engine/runner", "runner")
}

/// Builds what runs images in slices of any length, for both boards.
pub fn build_slices() -> Result<()> {
    build("tests/engine/slices", "slices")
}

fn build(folder: &str, target_folder: &str) -> Result<()> {
    for target in TARGETS {
        let mut cargo = setup::cargo(target)?;
        cargo.current_dir(paths::root().join(folder));
        cargo.args(["build", "--quiet", "--release", "--target", target, "--target-dir"]);
        cargo.arg(paths::target().join(target_folder));
        process::capture(&mut cargo).with_context(|| format!("{folder} for {target}"))?;
    }
    Ok(())
}

/// What the test of slices needs: its binaries, and the measured programs where they were built.
pub fn slices_environment() -> [(&'static str, std::ffi::OsString); 2] {
    [
        ("WASMBED_ENGINE_SLICES", paths::target().join("slices").into_os_string()),
        ("WASMBED_BENCH_PROGRAMS", paths::cache().join("bench/wasm").into_os_string()),
    ]
}

/// What tests need to find the runner.
pub fn environment() -> (&'static str, std::ffi::OsString) {
    ("WASMBED_ENGINE_RUNNER", paths::target().join("runner").into_os_string())
}
