//! The TLS client on the board with 8 KB of RAM: instructions under icount, stack by painting.

use std::process::Command;

use anyhow::{Context, Result};

use super::{Options, Row};
use crate::{paths, process, setup};

const TARGET: &str = "thumbv7m-none-eabi";
/// The first and the last line of the program's output that belong to the handshake.
const HANDSHAKE: [&str; 2] = ["start", "client_flight"];

/// Builds `benches/tls-footprint`, runs it in QEMU, and reads its table.
pub fn run(_: &Options) -> Result<Vec<Row>> {
    setup::run(&setup::Options::default())?;
    let folder = paths::target().join("benches");
    let mut build = setup::cargo(TARGET)?;
    build.current_dir(paths::root().join("benches/tls-footprint"));
    build.args(["build", "--quiet", "--release", "--target-dir"]).arg(&folder);
    process::capture(&mut build).context("benches/tls-footprint")?;
    let program = folder.join(TARGET).join("release/tls-footprint");
    // One instruction is one nanosecond of the board's clock: the counts are exact.
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", "stm32vldiscovery", "-display", "none", "-monitor", "none"]);
    qemu.args(["-serial", "none", "-semihosting-config", "enable=on,target=native"]);
    qemu.args(["-icount", "shift=0,sleep=off", "-kernel"]).arg(&program);
    let output = qemu.output().context("start qemu-system-arm")?;
    // The console of semihosting may be either stream.
    let text = [output.stdout, output.stderr].concat();
    rows(&String::from_utf8_lossy(&text))
}

fn rows(text: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let (mut instructions, mut stack_bytes) = (0.0, 0.0_f64);
    let mut in_handshake = false;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        let figures: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
        if let ("client_bytes", [bytes]) = (name, figures.as_slice()) {
            rows.push(row("client-static-bytes", *bytes, "bytes", None));
        }
        let [_, below_caller, count] = figures.as_slice() else { continue };
        in_handshake |= name == HANDSHAKE[0];
        if in_handshake {
            instructions += count;
            stack_bytes = stack_bytes.max(*below_caller);
            in_handshake = name != HANDSHAKE[1];
        } else {
            rows.push(row(&format!("{name}/instructions"), *count, "instr", None));
            rows.push(row(&format!("{name}/stack-bytes"), *below_caller, "bytes", None));
        }
    }
    let static_bytes = rows
        .iter()
        .find(|row| row.name == "tls/client-static-bytes")
        .context("the program did not print its table")?
        .value;
    rows.push(row("handshake-instructions", instructions, "instr", Some(8e6)));
    rows.push(row("handshake-stack-bytes", stack_bytes, "bytes", None));
    rows.push(row("client-ram-bytes", static_bytes + stack_bytes, "bytes", Some(2400.0)));
    Ok(rows)
}

fn row(name: &str, value: f64, unit: &'static str, goal: Option<f64>) -> Row {
    Row { name: format!("tls/{name}"), value, unit, goal, versus: String::new() }
}
