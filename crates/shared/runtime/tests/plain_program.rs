//! A plain `fn main` of Rust's standard library, compiled for wasm32-wasip1, as a guest.

use std::path::Path;
use std::process::Command;

use wasmbed_image::Config;
use wasmbed_testkit::desk::{Desk, Guest};
use wasmbed_wire::{GuestReason, GuestState};

/// Compiles the program; `None` where the target is not installed.
fn compile() -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/plain.rs");
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain.wasm");
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    // A device has kilobytes: the program's own stack and memory have to say so.
    let output = Command::new(rustc)
        .args(["--edition", "2024", "--target", "wasm32-wasip1", "-Copt-level=s", "-Clto=fat"])
        .args(["-Cpanic=abort", "-Cstrip=symbols", "-Clink-arg=-zstack-size=8192"])
        .arg("-Clink-arg=--initial-memory=131072")
        .arg(&source)
        .arg("-o")
        .arg(&module)
        .output()
        .ok()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("may not be installed") {
        return None;
    }
    assert!(output.status.success(), "{complaint}");
    Some(std::fs::read(module).expect("the module"))
}

#[test]
fn a_plain_program_prints_reads_its_arguments_and_sleeps() {
    let Some(wasm) = compile() else {
        println!("\nskipped: the target wasm32-wasip1 is not installed\n");
        return;
    };
    let options = wasmbed_compiler::Options { recursion_depth: 4, ..Default::default() };
    let prepared = wasmbed_compiler::prepare(&wasm, &options).expect("an image");
    let mut desk = Desk::with_arena(256 * 1024);
    let config = Config { args: b"-v\0", environ: b"MODE=fast\0" };
    let grants = ["log", "clock", "timer", "args"];
    let guest = Guest { config, ..Guest::new("tool", &grants) };
    let app = desk.try_install(guest, &prepared.image).expect("it is taken");
    desk.run_for(2_000);
    let lines = desk.lines();
    assert_eq!(lines[..3], ["argument tool", "argument -v", "mode fast"]);
    let slept = lines[3].strip_prefix("slept ").and_then(|rest| rest.strip_suffix(" ms"));
    let slept: u64 = slept.expect("a line about it").parse().expect("a number");
    assert!((250..300).contains(&slept), "{slept}");
    assert_eq!(lines[4..], ["one line in 2 parts"]);
    let report = desk.report(app);
    assert_eq!((report.state, report.reason), (GuestState::Failed, GuestReason::ExitedWithError));
    assert_eq!(report.exit_code, Some(3));
    println!("\nfigure: image of a plain program {} bytes\n", prepared.image.len());
}
