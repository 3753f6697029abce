//! Finds what builds guests: Rust's libraries for wasm, clang, and a linker for small memories.
//! Installs nothing; what is missing is told with the way to get it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::WorkshopError;

/// Versions of LLVM whose programs Debian and others give a number in their name.
const LLVM_VERSIONS: std::ops::RangeInclusive<u32> = 14..=30;

/// What a command prints, if it starts and ends well.
fn output_of(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = || String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(text)
}

/// Folder of the compiler's own libraries.
fn rust_sysroot() -> Result<PathBuf, WorkshopError> {
    let text = output_of(Path::new("rustc"), &["--print", "sysroot"]);
    let text = text.ok_or_else(|| WorkshopError::ProgramMissing {
        program: "Rust (rustc)".to_owned(),
        advice: "see https://rustup.rs, or your system's package rustc".to_owned(),
    })?;
    Ok(PathBuf::from(text.trim()))
}

/// A sysroot that `cargo xtask setup` built from sources for exactly this compiler.
fn built_sysroot() -> Option<PathBuf> {
    let text = output_of(Path::new("rustc"), &["-vV"])?;
    let field = |name: &str| {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
        values.next().map(|value| value.trim().to_owned())
    };
    let release = field("release:")?;
    let commit: String = field("commit-hash:").unwrap_or_default().chars().take(12).collect();
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    Some(cache.join(format!("wasmbed/sysroot-{release}-{commit}")))
}

fn has_libraries(sysroot: &Path, target: &str) -> bool {
    let folder = sysroot.join("lib/rustlib").join(target).join("lib");
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        })
    })
}

/// A `cargo` command line that builds for `target`: with the toolchain's libraries, or with those
/// that were built from sources, which `from_source` asks for.
///
/// # Errors
/// [`WorkshopError::TargetMissing`] if there are none.
pub fn cargo(target: &str, from_source: bool) -> Result<Command, WorkshopError> {
    let own = rust_sysroot()?;
    let mut command = Command::new("cargo");
    if !from_source && has_libraries(&own, target) {
        return Ok(command);
    }
    match built_sysroot().filter(|sysroot| has_libraries(sysroot, target)) {
        Some(sysroot) => {
            let name = target.to_uppercase().replace(['-', '.'], "_");
            let flags = format!("--sysroot {}", sysroot.display());
            command.env(format!("CARGO_TARGET_{name}_RUSTFLAGS"), flags);
            Ok(command)
        }
        None => Err(WorkshopError::TargetMissing { target: target.to_owned() }),
    }
}

/// Names under which a program of LLVM may be installed, the newest first.
fn llvm_names(program: &str) -> impl Iterator<Item = PathBuf> {
    let numbered = LLVM_VERSIONS.rev().map(move |version| format!("{program}-{version}"));
    std::iter::once(program.to_owned()).chain(numbered).map(PathBuf::from)
}

/// A clang that can compile for wasm32: `$WASMBED_CLANG`, or the first that is found.
///
/// # Errors
/// [`WorkshopError::ProgramMissing`] says which package has one.
pub fn clang() -> Result<PathBuf, WorkshopError> {
    let chosen = std::env::var_os("WASMBED_CLANG").map(PathBuf::from);
    let candidates: Vec<PathBuf> = match chosen {
        Some(path) => vec![path],
        None => llvm_names("clang").collect(),
    };
    let can_wasm = |path: &PathBuf| {
        let targets = output_of(path, &["--print-targets"]);
        targets.is_some_and(|text| text.contains("wasm32"))
    };
    candidates.into_iter().find(can_wasm).ok_or_else(|| WorkshopError::ProgramMissing {
        program: "a clang that compiles for wasm32".to_owned(),
        advice: "on Debian and Ubuntu `apt install clang`, on Fedora `dnf install clang`, on macOS \
                 `brew install llvm` (Apple's own clang has no wasm32); or name one in $WASMBED_CLANG"
            .to_owned(),
    })
}

/// A linker that can make memories of any size, and the arguments that go before all others.
///
/// # Errors
/// [`WorkshopError::LinkerMissing`] if none can.
pub fn linker() -> Result<(PathBuf, &'static [&'static str]), WorkshopError> {
    const AS_WASM: &[&str] = &["-flavor", "wasm"];
    let can_small = |path: &Path, first: &[&str]| {
        let arguments: Vec<&str> = first.iter().copied().chain(["--help"]).collect();
        output_of(path, &arguments).is_some_and(|text| text.contains("--page-size"))
    };
    let chosen = std::env::var_os("WASMBED_WASM_LD").map(PathBuf::from);
    let mut too_old = None;
    for path in chosen.into_iter().chain(llvm_names("wasm-ld")) {
        if can_small(&path, &[]) {
            return Ok((path, &[]));
        }
        if too_old.is_none() && output_of(&path, &["--version"]).is_some() {
            too_old = Some(path);
        }
    }
    if let Ok(sysroot) = rust_sysroot() {
        let hosts = std::fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten();
        let mut paths = hosts.map(|host| host.path().join("bin/rust-lld"));
        if let Some(path) = paths.find(|path| path.is_file() && can_small(path, AS_WASM)) {
            return Ok((path, AS_WASM));
        }
    }
    let found = too_old.map(|path| format!(" ({} is too old)", path.display()));
    Err(WorkshopError::LinkerMissing { found: found.unwrap_or_default() })
}
