//! Building the measuring binaries, running them in QEMU, and reading what they print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::programs::{self, Program};
use crate::{paths, process, setup};

/// A core to measure on.
pub struct Core {
    pub name: &'static str,
    pub machine: &'static str,
    pub target: &'static str,
    pub gcc: &'static [&'static str],
}

/// Cortex-M3: no floating-point unit.
pub const M3: Core = Core {
    name: "m3",
    machine: "mps2-an385",
    target: "thumbv7m-none-eabi",
    gcc: &["-mcpu=cortex-m3", "-mthumb"],
};

/// Cortex-M4F: single-precision unit.
pub const M4F: Core = Core {
    name: "m4f",
    machine: "mps2-an386",
    target: "thumbv7em-none-eabihf",
    gcc: &["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
};

/// A way to build the measuring binary.
pub struct Build<'a> {
    /// Cargo features.
    pub features: &'static str,
    /// Optimise as the firmware does, or for speed alone.
    pub is_as_firmware: bool,
    /// The native programs, where they are linked.
    pub native: Option<&'a Path>,
}

/// What a binary printed: program and kind of line, and the numbers behind.
pub type Figures = BTreeMap<(String, String), Vec<u64>>;

/// Builds the measuring binary.
pub fn build(core: &Core, build: &Build<'_>) -> Result<PathBuf> {
    let name = if build.features.is_empty() { "nothing" } else { build.features };
    // One folder for each profile: what only the features tell apart then shares the libraries.
    // The peer takes minutes to build and never changes, so it outlives a checkout.
    let kept = paths::target().join("benches/engine");
    let folder = if build.is_as_firmware {
        kept.join("as-firmware")
    } else {
        paths::cache().join("bench/for-speed")
    };
    let mut cargo = setup::cargo(core.target)?;
    cargo.current_dir(paths::root().join("benches/engine/board"));
    cargo.args(["build", "--quiet", "--release", "--target", core.target, "--target-dir"]);
    cargo.arg(&folder).args(["--features", build.features]);
    if build.is_as_firmware {
        for setting in firmware_profile()? {
            cargo.arg("--config").arg(setting);
        }
    } else {
        cargo.args(["--config", "profile.release.opt-level=3"]);
    }
    if let Some(native) = build.native {
        cargo.env("ENGINE_BENCH_NATIVE", native);
    }
    process::capture(&mut cargo).with_context(|| format!("benches/engine/board, {name}"))?;
    let binary = folder.join(core.target).join("release/engine-on-board");
    let kept = kept.join(format!("{}-{name}.elf", core.name));
    std::fs::copy(&binary, &kept).with_context(|| format!("copy {}", binary.display()))?;
    Ok(kept)
}

/// The profile that the firmware is built with, as settings of the release profile.
fn firmware_profile() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(paths::root().join("Cargo.toml"))?;
    let manifest: toml::Table = text.parse().context("Cargo.toml")?;
    let profile = manifest.get("profile").and_then(|profiles| profiles.get("firmware"));
    let profile = profile.and_then(toml::Value::as_table).context("no profile firmware")?;
    let mut settings = Vec::new();
    flatten("profile.release", profile, &mut settings);
    // What is generic is compiled where it is used: in the runtime there, in this binary here.
    let runtime = "profile.release.package.wasmbed-runtime.";
    let as_runtime: Vec<String> = settings
        .iter()
        .filter_map(|setting| setting.strip_prefix(runtime))
        .map(|rest| format!("profile.release.package.engine-on-board.{rest}"))
        .collect();
    settings.extend(as_runtime);
    Ok(settings)
}

fn flatten(prefix: &str, table: &toml::Table, settings: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => flatten(&format!("{prefix}.{key}"), inner, settings),
            _ if key == "inherits" => {}
            _ => settings.push(format!("{prefix}.{key}={value}")),
        }
    }
}

/// Puts the programs into the file that the binaries find in memory; gives the tool's lines.
pub fn payload(chosen: &[&Program], file: &Path) -> Result<String> {
    let mut tool = Command::new("cargo");
    tool.current_dir(paths::root()).args(["run", "--quiet", "--package", "wasmbed-engine-bench"]);
    tool.args(["--", "payload"]).arg(file);
    for program in chosen {
        let wasm = programs::folder().join(program.name).with_extension("wasm");
        let [first, second] = program.arguments;
        tool.arg(format!("{}:{first}:{second}", wasm.display()));
    }
    process::capture(&mut tool)
}

/// Runs a binary in QEMU, where an instruction takes exactly 64 ns of the board's time.
pub fn run(core: &Core, binary: &Path, payload: &Path) -> Result<Figures> {
    let mut qemu = Command::new("timeout");
    qemu.args(["300", "qemu-system-arm", "-M", core.machine, "-display", "none"]);
    qemu.args(["-monitor", "none", "-serial", "none"]);
    qemu.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=6,sleep=off"]);
    let loader = format!("loader,file={},addr=0x21000000,force-raw=on", payload.display());
    qemu.args(["-device", &loader, "-kernel"]).arg(binary);
    let output = qemu.output().context("start qemu-system-arm")?;
    // The console of semihosting may be either stream.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    if !output.status.success() {
        bail!("{} on {} ended with {}:\n{text}", binary.display(), core.machine, output.status);
    }
    Ok(figures(&text))
}

/// Reads lines of two words and numbers.
pub fn figures(text: &str) -> Figures {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let key = (words.next()?.to_owned(), words.next()?.to_owned());
        Some((key, words.filter_map(|word| word.parse().ok()).collect()))
    };
    text.lines().filter_map(line).collect()
}
