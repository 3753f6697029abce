//! A way to compile for Cortex-M and wasm: present, by rustup, or built once from matching sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{archive::Archive, say};
use crate::{paths, process};

/// Targets of the boards and of the example guests.
const TARGETS: [&str; 5] = [
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "wasm32v1-none",
    STD_TARGET,
];

/// The one target whose standard library is used; it stands on a C library.
const STD_TARGET: &str = "wasm32-wasip1";

/// What of the C library goes beside the standard library.
const C_LIBRARY: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// Where the libraries of a target come from.
enum Way {
    /// The toolchain has them.
    Toolchain,
    /// They were built from sources into this sysroot.
    Sysroot(PathBuf),
}

/// Finds or makes a way for every target.
pub fn ensure(from_source: bool) -> Result<()> {
    let missing: Vec<&str> =
        TARGETS.into_iter().filter(|target| from_source || way(target).is_err()).collect();
    if missing.is_empty() {
        say(&format!("targets {}: present", TARGETS.join(", ")));
        return Ok(());
    }
    if !from_source && add_by_rustup(&missing) {
        return Ok(());
    }
    for target in missing {
        build_from_source(target)?;
    }
    Ok(())
}

/// Finds or makes a way for a target that only some commands need.
pub fn ensure_target(target: &str) -> Result<()> {
    if way(target).is_ok() || add_by_rustup(&[target]) {
        return Ok(());
    }
    build_from_source(target)
}

/// A `cargo` command line that can build for `target`.
pub fn cargo(target: &str) -> Result<Command> {
    let mut command = Command::new("cargo");
    if let Way::Sysroot(path) = way(target)? {
        let name =
            format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_"));
        command.env(name, format!("--sysroot {}", path.display()));
    }
    Ok(command)
}

fn way(target: &str) -> Result<Way> {
    let built = sysroot()?;
    if std::env::var_os("WASMBED_FROM_SOURCE").is_none() && has_libraries(&toolchain()?, target) {
        return Ok(Way::Toolchain);
    }
    if has_libraries(&built, target) {
        return Ok(Way::Sysroot(built));
    }
    bail!("no libraries for {target}; run `cargo xtask setup`")
}

fn has_libraries(sysroot: &Path, target: &str) -> bool {
    let folder = sysroot.join("lib/rustlib").join(target).join("lib");
    let begin = if target == STD_TARGET { "libstd-" } else { "libcore-" };
    let has_rust = std::fs::read_dir(&folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(begin) && name.ends_with(".rlib")
        })
    });
    has_rust && (target != STD_TARGET || folder.join("self-contained/libc.a").is_file())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("rustc");
    command.current_dir(paths::root()).args(arguments);
    Ok(process::capture(&mut command)?.trim().to_owned())
}

fn toolchain() -> Result<PathBuf> {
    Ok(PathBuf::from(rustc(&["--print", "sysroot"])?))
}

/// Version and commit of the compiler: libraries fit no other.
fn compiler() -> Result<(String, String)> {
    let text = rustc(&["-vV"])?;
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    let release = field("release:").context("rustc does not say its release")?;
    let commit = field("commit-hash:").unwrap_or_default();
    Ok((release, commit.chars().take(12).collect()))
}

fn sysroot() -> Result<PathBuf> {
    let (release, commit) = compiler()?;
    Ok(paths::cache().join(format!("sysroot-{release}-{commit}")))
}

fn add_by_rustup(targets: &[&str]) -> bool {
    let mut list = Command::new("rustup");
    if !process::succeeds(list.arg("--version")) {
        return false;
    }
    say(&format!("targets {}: asking rustup", targets.join(", ")));
    // `timeout` bounds a server that does not answer; where it is missing, rustup's own limit holds.
    let mut command = Command::new("timeout");
    command.args(["120", "rustup", "target", "add"]).args(targets).current_dir(paths::root());
    if process::succeeds(&mut command) {
        return true;
    }
    let mut command = Command::new("rustup");
    command.args(["target", "add"]).args(targets).current_dir(paths::root());
    let done = process::succeeds(&mut command);
    if !done {
        say("rustup cannot deliver them: building from sources");
    }
    done
}

fn build_from_source(target: &str) -> Result<()> {
    let library = library_sources()?;
    let (parts, source) = match target {
        STD_TARGET => ("std,panic_abort", ""),
        _ => ("core,alloc", "#![no_std]\n"),
    };
    say(&format!("{target}: building {parts} from {}", library.display()));
    let work = paths::cache().join(format!("build-{target}"));
    std::fs::create_dir_all(work.join("src"))?;
    std::fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.release]\npanic = \"abort\"\n",
    )?;
    std::fs::write(work.join("src/lib.rs"), source)?;
    let mut build = Command::new("cargo");
    build
        .current_dir(&work)
        .args(["build", "--release", "-Z", &format!("build-std={parts}"), "--target", target])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-C embed-bitcode=yes")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env("__CARGO_TESTS_ONLY_SRC_ROOT", &library);
    process::capture(&mut build).context("building the target's libraries")?;
    let from = work.join("target").join(target).join("release/deps");
    let to = sysroot()?.join("lib/rustlib").join(target).join("lib");
    std::fs::create_dir_all(&to)?;
    for entry in std::fs::read_dir(&from)?.flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let unwanted = ["libempty-", "libpanic_unwind-"];
        if text.ends_with(".rlib") && !unwanted.iter().any(|start| text.starts_with(start)) {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    if target == STD_TARGET {
        copy_c_library(&to.join("self-contained"))?;
    }
    std::fs::remove_dir_all(&work)?;
    if !has_libraries(&sysroot()?, target) {
        bail!("the libraries for {target} were built but are not in {}", to.display());
    }
    Ok(())
}

/// Puts the C library of Debian's package `wasi-libc` where the linker looks for it.
fn copy_c_library(to: &Path) -> Result<()> {
    say("C library for wasm: fetching Debian's package wasi-libc");
    let folder = paths::cache().join("wasi-libc");
    Archive::open(&folder)?.unpack("wasi-libc", |_| true)?;
    std::fs::create_dir_all(to)?;
    for name in C_LIBRARY {
        let from = folder.join("usr/lib/wasm32-wasi").join(name);
        std::fs::copy(&from, to.join(name)).with_context(|| format!("copy {}", from.display()))?;
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The sources of exactly this compiler's libraries: in the toolchain, or from a Debian package.
fn library_sources() -> Result<PathBuf> {
    let own = toolchain()?.join("lib/rustlib/src/rust/library");
    if own.join("core").is_dir() {
        return Ok(own);
    }
    let (release, _) = compiler()?;
    let folder = paths::cache().join(format!("rust-src-{release}"));
    let library = folder.join(format!("usr/src/rustc-{release}/library"));
    if library.join("core").is_dir() {
        return Ok(library);
    }
    say(&format!("sources of Rust {release}: fetching Debian's package rust-src"));
    let archive = Archive::open(&folder).with_context(|| {
        format!(
            "no rustup server and no Debian archive: install the Rust targets {} for rustc {release} by hand",
            TARGETS.join(", ")
        )
    })?;
    let is_matching = |version: &str| version.split(['+', '-', '~']).next() == Some(&release);
    archive.unpack("rust-src", is_matching)?;
    if !library.join("core").is_dir() {
        bail!("the package rust-src {release} holds no {}", library.display());
    }
    Ok(library)
}
