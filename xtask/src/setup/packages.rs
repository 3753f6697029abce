//! System packages: QEMU 8.0 or newer, a C compiler for the TLS library of the host, and `dtc`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::say;
use crate::process;

const QEMU_MAJOR_MIN: u32 = 8;
const BACKPORTS_FILE: &str = "/etc/apt/sources.list.d/wasmbed-backports.sources";

/// Finds the packages, or installs them where the system's package manager is Debian's.
pub fn ensure() -> Result<()> {
    let compiler = process::succeeds(Command::new("cc").arg("--version"));
    let qemu = qemu_major();
    match qemu {
        Some(major) if major >= QEMU_MAJOR_MIN => say(&format!("QEMU {major}: present")),
        Some(major) => say(&format!("QEMU {major}: too old, {QEMU_MAJOR_MIN} is needed")),
        None => say("QEMU: missing"),
    }
    let qemu_is_good = qemu.is_some_and(|major| major >= QEMU_MAJOR_MIN);
    if compiler && qemu_is_good {
        ensure_dtc();
        return Ok(());
    }
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{}", advice(!compiler, !qemu_is_good));
    }
    install(!compiler, !qemu_is_good)?;
    ensure_dtc();
    match qemu_major() {
        Some(major) if major >= QEMU_MAJOR_MIN => Ok(()),
        other => bail!(
            "qemu-system-arm {QEMU_MAJOR_MIN}.0 or newer is needed and could not be installed (found: {other:?}); \
             install it by hand and run this again"
        ),
    }
}

/// The compiler of device trees, which one test compares with. Without it that test says so.
fn ensure_dtc() {
    if process::succeeds(Command::new("dtc").arg("--version")) {
        return;
    }
    if let Err(error) = add(&["device-tree-compiler"]) {
        say(&format!("dtc: missing, the comparison with it is skipped: {error:#}"));
    }
}

fn qemu_major() -> Option<u32> {
    let text = process::capture(Command::new("qemu-system-arm").arg("--version")).ok()?;
    let version = text.split("version ").nth(1)?;
    version.split('.').next()?.parse().ok()
}

/// The command that installs what is missing on systems this does not install on by itself.
fn advice(compiler: bool, qemu: bool) -> String {
    let manager = [
        ("brew", "brew install qemu"),
        ("dnf", "sudo dnf install qemu-system-arm gcc"),
        ("pacman", "sudo pacman -S qemu-system-arm gcc"),
        ("nix-env", "nix-shell -p qemu gcc"),
        ("zypper", "sudo zypper install qemu-arm gcc"),
    ]
    .into_iter()
    .find(|(tool, _)| process::succeeds(Command::new(tool).arg("--version")));
    let missing = match (compiler, qemu) {
        (true, true) => "a C compiler and qemu-system-arm 8.0 or newer are missing",
        (true, false) => "a C compiler (cc) is missing",
        _ => "qemu-system-arm 8.0 or newer is missing",
    };
    match manager {
        Some((_, command)) => format!("{missing}; install with: {command}"),
        None => format!("{missing}; install with your system's package manager"),
    }
}

/// Whether the package manager knows the package.
pub fn has(name: &str) -> bool {
    let text = process::capture(Command::new("apt-cache").args(["policy", name]));
    text.is_ok_and(|text| text.contains("Candidate: ") && !text.contains("Candidate: (none)"))
}

/// Installs packages that only some commands need, where the system's package manager is Debian's.
pub fn add(names: &[&str]) -> Result<()> {
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("missing: {}; install them with your system's package manager", names.join(", "));
    }
    say(&format!("{}: installing", names.join(", ")));
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], names].concat())
}

fn install(compiler: bool, qemu: bool) -> Result<()> {
    say("package lists: updating");
    apt(&["update"])?;
    if compiler {
        say("C compiler: installing");
        apt(&["install", "-y", "--no-install-recommends", "gcc", "libc6-dev"])?;
    }
    if !qemu {
        return Ok(());
    }
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    let backports;
    if candidate_major()? < QEMU_MAJOR_MIN {
        backports = enable_backports()?;
        arguments.extend(["-t", &backports]);
    }
    arguments.push("qemu-system-arm");
    say("QEMU: installing");
    apt(&arguments)
}

fn candidate_major() -> Result<u32> {
    let text = process::capture(Command::new("apt-cache").args(["policy", "qemu-system-arm"]))?;
    let candidate = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .context("apt knows no package qemu-system-arm")?;
    let version = candidate.split_once(':').map_or(candidate, |(_, version)| version);
    Ok(version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0))
}

/// Adds the backports of this Debian release, from the mirror that apt uses already.
fn enable_backports() -> Result<String> {
    let release = std::fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("this Debian does not say its code name")?;
    let suite = format!("{codename}-backports");
    let known =
        process::capture(Command::new("apt-get").args(["indextargets", "--format", "$(RELEASE)"]))?;
    if known.lines().any(|line| line == suite) {
        return Ok(suite);
    }
    say(&format!("{suite}: adding as a source of packages"));
    let mirror = mirror()?;
    let source = format!(
        "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n\
         Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    );
    let mut tee = privileged("tee");
    tee.arg(BACKPORTS_FILE).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = tee.spawn().context("cannot write the list of package sources")?;
    if let Some(mut input) = child.stdin.take() {
        std::io::Write::write_all(&mut input, source.as_bytes())?;
    }
    if !child.wait()?.success() {
        bail!("cannot write {BACKPORTS_FILE}: root or sudo is needed");
    }
    apt(&["update"])?;
    Ok(suite)
}

/// The Debian mirror that apt uses for the main archive.
pub fn mirror() -> Result<String> {
    let text = process::capture(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
    ]))?;
    text.lines()
        .map(|uri| uri.trim_end_matches('/'))
        .find(|uri| uri.ends_with("/debian"))
        .map(str::to_owned)
        .context("apt has no Debian archive among its sources")
}

fn privileged(program: &str) -> Command {
    // SAFETY: geteuid has no preconditions and cannot fail.
    #[expect(unsafe_code, reason = "the standard library does not tell the effective user")]
    let is_root = unsafe { libc::geteuid() } == 0;
    if is_root {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = privileged("apt-get");
    command.args(["-o", "Dpkg::Use-Pty=0", "-qq"]).args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    let output =
        command.output().with_context(|| format!("cannot start `{}`", process::text(&command)))?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "`{}` ended with {}:\n{}\nwithout root, run it by hand and then this again",
        process::text(&command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    )
}
