//! A way to compile for Cortex-M and wasm: present, by rustup, or built once from matching sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{packages, say};
use crate::{paths, process};

/// Targets of the boards and of the example guests.
const TARGETS: [&str; 4] = [
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "wasm32v1-none",
];

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

/// A `cargo` command line that can build for `target`.
pub fn cargo(target: &str) -> Result<Command> {
    let mut command = Command::new("cargo");
    if let Way::Sysroot(path) = way(target)? {
        let name = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_"));
        command.env(name, format!("--sysroot {}", path.display()));
    }
    Ok(command)
}

fn way(target: &str) -> Result<Way> {
    let built = sysroot()?;
    if std::env::var_os("WASMBED_FROM_SOURCE").is_none() && has_core(&toolchain()?, target) {
        return Ok(Way::Toolchain);
    }
    if has_core(&built, target) {
        return Ok(Way::Sysroot(built));
    }
    bail!("no libraries for {target}; run `cargo xtask setup`")
}

fn has_core(sysroot: &Path, target: &str) -> bool {
    let folder = sysroot.join("lib/rustlib").join(target).join("lib");
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        })
    })
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
    say(&format!("{target}: building core and alloc from {}", library.display()));
    let work = paths::cache().join(format!("build-{target}"));
    std::fs::create_dir_all(work.join("src"))?;
    std::fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.release]\npanic = \"abort\"\n",
    )?;
    std::fs::write(work.join("src/lib.rs"), "#![no_std]\n")?;
    let mut build = Command::new("cargo");
    build
        .current_dir(&work)
        .args(["build", "--release", "-Z", "build-std=core,alloc", "--target", target])
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
        let wanted = ["libcore-", "liballoc-", "libcompiler_builtins-"];
        if text.ends_with(".rlib") && wanted.iter().any(|start| text.starts_with(start)) {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    std::fs::remove_dir_all(&work)?;
    if !has_core(&sysroot()?, target) {
        bail!("the libraries for {target} were built but are not in {}", to.display());
    }
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
    fetch_rust_src(&release, &folder)?;
    if !library.join("core").is_dir() {
        bail!("the package rust-src {release} holds no {}", library.display());
    }
    Ok(library)
}

/// Downloads and unpacks the package without installing it, with package lists of its own.
fn fetch_rust_src(release: &str, folder: &Path) -> Result<()> {
    let mirror = packages::mirror().with_context(|| {
        format!(
            "no rustup server and no Debian archive: install the Rust targets {} for rustc {release} by hand",
            TARGETS.join(", ")
        )
    })?;
    let state = folder.join("apt");
    std::fs::create_dir_all(state.join("lists/partial"))?;
    std::fs::create_dir_all(state.join("archives/partial"))?;
    let list = state.join("sources.list");
    let suites = ["trixie", "trixie-backports", "forky", "sid", "bookworm-backports"];
    let key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
    let lines: String =
        suites.iter().map(|suite| format!("deb {key} {mirror} {suite} main\n")).collect();
    std::fs::write(&list, lines)?;
    let options = [
        format!("Dir::Etc::sourcelist={}", list.display()),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::lists={}", state.join("lists").display()),
        format!("Dir::Cache={}", state.display()),
        "APT::Sandbox::User=".to_owned(),
    ];
    let apt = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.current_dir(folder);
        for option in &options {
            command.args(["-o", option]);
        }
        command.args(arguments);
        process::capture(&mut command)
    };
    apt("apt-get", &["-qq", "update"])?;
    let versions = apt("apt-cache", &["madison", "rust-src"])?;
    let version = versions
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim)
        .find(|version| version.split(['+', '-', '~']).next() == Some(release))
        .with_context(|| {
            format!("no package rust-src {release} in the Debian archive; offered:\n{versions}")
        })?;
    apt("apt-get", &["-qq", "download", &format!("rust-src={version}")])?;
    let package = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt downloaded no package")?;
    process::capture(Command::new("dpkg").arg("-x").arg(&package).arg(folder))?;
    std::fs::remove_file(package)?;
    std::fs::remove_dir_all(state)?;
    Ok(())
}
