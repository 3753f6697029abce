//! The rules of the house that a machine can check. Each finding names file, line and rule.

mod arrows;
mod source;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{paths, process};

/// `cargo xtask tidy`.
pub fn run() -> Result<()> {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} findings"),
    }
}

/// Everything that breaks a rule.
pub fn findings() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in tracked_files()? {
        let name = path.to_string_lossy().into_owned();
        if name.ends_with(".rs") {
            let text = std::fs::read_to_string(paths::root().join(&path)).unwrap_or_default();
            source::check(&name, &text, &mut findings);
        }
    }
    arrows::check(&mut findings)?;
    format_findings(&mut findings);
    lint_findings(&mut findings);
    Ok(findings)
}

/// Files that git knows or would add, outside of what is built.
fn tracked_files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(paths::root()).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    Ok(process::capture(&mut git)?
        .lines()
        .map(PathBuf::from)
        .filter(|path: &PathBuf| paths::root().join(path).is_file())
        .filter(|path| !path.starts_with(Path::new("xtask/kubernetes")))
        .collect())
}

fn format_findings(findings: &mut Vec<String>) {
    for folder in [".", "sdk/rust", "examples/guests"] {
        let folder = paths::root().join(folder);
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&folder).args(["fmt", "--all", "--check", "--", "--files-with-diff"]);
        let Ok(output) = cargo.output() else {
            findings.push("cargo fmt is missing: rustup component add rustfmt".to_owned());
            return;
        };
        let root = format!("{}/", paths::root().display());
        findings.extend(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .map(|line| format!("{}: not formatted", line.trim_start_matches(&root))),
        );
    }
}

/// Clippy's findings in everything that runs on the host, and in the firmware of each board.
fn lint_findings(findings: &mut Vec<String>) {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root()).args(["clippy", "--quiet", "--workspace"]);
    cargo.args(["--exclude", "wasmbed-firmware", "--message-format", "short"]);
    let Ok(output) = cargo.output() else {
        findings.push("cargo clippy is missing: rustup component add clippy".to_owned());
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = text.lines().filter(|line| line.contains(": warning") || line.contains("error"));
    findings.extend(lines.map(str::to_owned));
}
