//! Runs the test groups, cheap ones first, and counts cases.

mod control_plane;
mod promises;
mod report;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

pub use report::Counts;

use crate::{boards, engine, paths, process, setup, tidy};

/// One group of tests.
struct Group {
    name: &'static str,
    about: &'static str,
    run: fn(&str) -> Result<Counts>,
}

const GROUPS: [Group; 9] = [
    Group { name: "tidy", about: "rules of the house, formatting, lints", run: tidy_group },
    Group { name: "tls", about: "curve and TLS client, hostile servers, interop", run: tls_group },
    Group { name: "unit", about: "every other crate by itself", run: unit_group },
    Group {
        name: "spec",
        about: "the official WebAssembly suite, and slices, on the host and on two boards",
        run: spec_group,
    },
    Group {
        name: "differential",
        about: "generated modules and damaged images: other engines, host and boards",
        run: differential_group,
    },
    Group {
        name: "firmware",
        about: "every board builds and keeps its budget",
        run: firmware_group,
    },
    Group { name: "e2e", about: "whole system with emulated boards", run: e2e_group },
    Group {
        name: "promises",
        about: "the five promises on each board with both API servers, and what the documentation says",
        run: promises::run,
    },
    Group { name: "kubernetes", about: "the same on a real kube-apiserver", run: kubernetes_group },
];

/// `cargo xtask test`.
pub fn run(names: &[String], list: bool, board: &str) -> Result<()> {
    if list {
        for group in &GROUPS {
            println!("{:<12}{}", group.name, group.about);
        }
        return Ok(());
    }
    if let Some(unknown) = names.iter().find(|name| GROUPS.iter().all(|group| group.name != **name))
    {
        bail!("no test group {unknown}; see `cargo xtask test --list`");
    }
    let board = if board == "all" { board.to_owned() } else { boards::find(board)?.name };
    setup::run(&setup::Options::default())?;
    let mut total = Counts::default();
    for group in &GROUPS {
        if !names.is_empty() && !names.iter().any(|name| name == group.name) {
            continue;
        }
        let start = Instant::now();
        let counts = (group.run)(&board).unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", group.name);
            Counts { failed: 1, ..Counts::default() }
        });
        println!("{:<12}{counts}  {:.1} s", group.name, start.elapsed().as_secs_f32());
        total += counts;
    }
    println!("{total}");
    if total.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}

fn tidy_group(_: &str) -> Result<Counts> {
    let findings = tidy::findings()?;
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    Ok(Counts { passed: u64::from(findings.is_empty()), failed: findings.len() as u64, skipped: 0 })
}

fn tls_group(_: &str) -> Result<Counts> {
    let mut fetch = Command::new("sh");
    fetch.arg(paths::root().join("crates/shared/tls/tests/openssl/fetch.sh"));
    fetch.arg(paths::cache().join("openssl"));
    // Without it the interop tests say by name that they were skipped.
    let environment = match process::capture(&mut fetch) {
        Ok(path) => vec![("WASMBED_OPENSSL", path.trim().into())],
        Err(error) => {
            eprintln!("tls: {error:#}");
            Vec::new()
        }
    };
    let arguments = [
        "--package",
        "wasmbed-curve",
        "--package",
        "wasmbed-tls",
        "--features",
        "wasmbed-tls/keylog",
    ];
    cargo_test(&arguments, &environment)
}

fn unit_group(_: &str) -> Result<Counts> {
    let mut arguments = vec!["--workspace"];
    for apart in [
        "wasmbed-curve",
        "wasmbed-tls",
        "wasmbed-tests",
        "wasmbed-engine-tests",
        "wasmbed-firmware",
    ] {
        arguments.extend(["--exclude", apart]);
    }
    // For the guests in C; without it their tests say by name that they were skipped.
    if let Err(error) = setup::clang() {
        eprintln!("unit: {error:#}");
    }
    let mut counts = cargo_test(&arguments, &[])?;
    let folder = paths::target().join("sdk");
    let sdk = ["--manifest-path", "sdk/rust/Cargo.toml", "--all-features", "--target-dir"];
    let arguments: Vec<&str> = sdk.into_iter().chain(folder.to_str()).collect();
    counts += cargo_test(&arguments, &[])?;
    Ok(counts)
}

fn spec_group(_: &str) -> Result<Counts> {
    engine::build_runner()?;
    let mut arguments = vec!["--package", engine::PACKAGE];
    for test in ["runner", "programs", "suite", "forms"] {
        arguments.extend(["--test", test]);
    }
    cargo_test(&arguments, &engine::environment())
}

fn differential_group(_: &str) -> Result<Counts> {
    engine::build_runner()?;
    let arguments = ["--package", engine::PACKAGE, "--test", "differential", "--test", "mutation"];
    cargo_test(&arguments, &engine::environment())
}

fn firmware_group(_: &str) -> Result<Counts> {
    let mut counts = Counts::default();
    for board in boards::all()? {
        boards::build(&board)?;
        for finding in crate::size::over_budget(&board)? {
            eprintln!("{}: {finding}", board.name);
            counts.failed += 1;
        }
        counts.passed += 1;
    }
    Ok(counts)
}

fn e2e_group(board: &str) -> Result<Counts> {
    prepare_whole_system()?;
    let recorded = boards::build_host_with_key_log()?;
    let mut environment = vec![
        ("WASMBED_TEST_BOARD", board.into()),
        ("WASMBED_BIN_KEYLOG", recorded.into_os_string()),
    ];
    environment.extend(engine::seed_variable());
    let mut counts = cargo_test(&["--package", "wasmbed-tests", "--lib"], &environment)?;
    for test in [
        "e2e", "guests", "hardware", "names", "storage", "faults", "guard", "cable", "link", "ten",
        "roles", "wire",
    ] {
        let start = Instant::now();
        let part = cargo_test(&["--package", "wasmbed-tests", "--test", test], &environment)?;
        println!("  {test:<10}{part}  {:.1} s", start.elapsed().as_secs_f32());
        counts += part;
    }
    Ok(counts)
}

fn kubernetes_group(board: &str) -> Result<Counts> {
    let Some(programs) = kubernetes_programs()? else {
        return Ok(Counts { skipped: 1, ..Counts::default() });
    };
    prepare_whole_system()?;
    let mut counts = cargo_test(
        &["--package", "wasmbed-tests", "--test", "kubernetes"],
        &[
            ("WASMBED_TEST_BOARD", board.into()),
            ("WASMBED_KUBERNETES", programs.folder.clone().into_os_string()),
        ],
    )?;
    let plane = control_plane::ControlPlane::start(&programs.folder)?;
    let kubeconfig = plane.kubeconfig().as_os_str().to_owned();
    for arguments in [
        ["--package", "wasmbed-controllers", "--test", "reconcile"],
        ["--package", "wasmbed-apiserver", "--test", "api"],
    ] {
        counts += cargo_test(&arguments, &[("WASMBED_TEST_KUBECONFIG", kubeconfig.clone())])?;
    }
    Ok(counts)
}

/// The programs of a real control plane, built if need be; where they cannot be, that is told.
fn kubernetes_programs() -> Result<Option<setup::KubernetesPrograms>> {
    if let Some(programs) = setup::kubernetes_programs()? {
        return Ok(Some(programs));
    }
    if let Some(obstacle) = setup::kubernetes_obstacle() {
        println!("skipped: no kube-apiserver: {obstacle}");
        return Ok(None);
    }
    setup::run(&setup::Options { kubernetes: true, ..Default::default() })?;
    let built = setup::kubernetes_programs()?;
    Ok(Some(built.context("the control plane was not built")?))
}

/// Everything the whole-system tests start: host binary, firmware, guests.
fn prepare_whole_system() -> Result<()> {
    boards::build_host()?;
    for board in boards::all()? {
        boards::build(&board)?;
    }
    boards::build_guests()?;
    Ok(())
}

/// Runs `cargo test` and counts its cases while it shows what failed.
fn cargo_test(arguments: &[&str], environment: &[(&str, std::ffi::OsString)]) -> Result<Counts> {
    let mut command = Command::new("cargo");
    command
        .current_dir(paths::root())
        .args(["test", "--quiet", "--no-fail-fast"])
        .args(arguments)
        .args(["--", "--nocapture", "--format", "pretty"])
        // A failure says enough by its message; tests of damage provoke many panics on purpose.
        .env("RUST_BACKTRACE", "0")
        .env("WASMBED_BIN", paths::wasmbed())
        .env("WASMBED_BOARDS", paths::boards())
        .env("WASMBED_GUESTS", paths::guests())
        .stdout(Stdio::piped());
    for (name, value) in environment {
        command.env(name, value);
    }
    let mut child =
        command.spawn().with_context(|| format!("cannot start `{}`", process::text(&command)))?;
    let mut counter = report::Counter::default();
    let output = child.stdout.take().context("the tests have no output")?;
    for line in BufReader::new(output).split(b'\n') {
        counter.line(&String::from_utf8_lossy(&line?));
        for notice in counter.take_notices() {
            eprintln!("{notice}");
        }
    }
    let status = child.wait()?;
    let mut counts = counter.counts();
    if !status.success() && counts.failed == 0 {
        eprintln!("`{}` ended with {status}", process::text(&command));
        counts.failed = 1;
    }
    for line in counter.failures() {
        eprintln!("failed: {line}");
    }
    Ok(counts)
}
