//! What each board takes, from its firmware to its emulator while nothing happens, and ten at once.
//!
//! Roles are processes of their own, so that the QEMU manager, which carries the boards' cables and
//! serial lines, is measured apart from API server, controllers and gateway.

mod instructions;
mod roles;
mod table;

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::platform::{resident_mb, started_at};
use super::{Options, Row, module};
use crate::boards::{self, Board};
use crate::setup;
use crate::size::{self, Figures};
use roles::{Role, Roles};

/// How long enrolled boards are watched. Here time itself is what is measured.
const IDLE_SECONDS: u64 = 60;
/// VirtualDevices applied at once.
const COUNT: usize = 10;
/// Most bytes of data in the guest that is installed. Chosen: some seconds of a serial line, and
/// less than an image slot of any board.
const DATA_BYTES_MAX: u32 = 48 * 1024;

/// Measures every board, or the one that the options name, then ten at once.
pub fn run(options: &Options) -> Result<Vec<Row>> {
    setup::run(&setup::Options::default())?;
    boards::build_host()?;
    let chosen = match &options.only {
        Some(name) => vec![boards::find(name)?],
        None => boards::all()?,
    };
    let mut rows = Vec::new();
    for board in &chosen {
        boards::build(board)?;
        let found = one(board).with_context(|| format!("measure {}", board.name))?;
        rows.extend(found.into_iter().map(|row| named(&board.name, row)));
    }
    if options.only.is_none() {
        rows.extend(ten(&chosen)?.into_iter().map(|row| named("ten", row)));
    }
    if options.writes {
        table::write(&chosen, &rows)?;
    }
    Ok(rows)
}

fn named(of: &str, row: Row) -> Row {
    Row { name: format!("{of}/{}", row.name), ..row }
}

fn row(name: &str, value: f64, unit: &'static str, goal: Option<f64>) -> Row {
    Row { name: name.to_owned(), value, unit, goal, versus: String::new() }
}

/// All figures of one board.
fn one(board: &Board) -> Result<Vec<Row>> {
    let figures = size::of(board)?;
    let mut rows = sizes(&figures);
    rows.push(row("handshake", handshake(board)?, "instr", Some(8e6)));

    let folder = folder(&board.name);
    let roles = Roles::start(&folder, None)?;
    let name = "bench";
    rows.push(row("boot-to-enrolled", boot_ms(&roles, name, board)?, "ms", None));
    let status = roles.get(&format!("virtualdevice/{name}"))?["status"].clone();
    let device = status["device"].as_str().context("no device")?.to_owned();
    let emulator = u32::try_from(status["pid"].as_i64().context("no emulator")?)?;
    roles.wait_for(&format!("device/{device}"), "condition=Connected")?;
    let (rate, bytes) = install_rate(&roles, board)?;
    rows.push(row("install", rate, "B/s", None));
    rows.push(row("install-payload", bytes, "B", None));

    let idle = idle(&[emulator], &roles)?;
    rows.push(row("idle-qemu", idle.emulators, "% core", Some(0.5)));
    rows.push(row("idle-relay", idle.manager, "% core", None));
    rows.push(row("memory-qemu", resident_mb(emulator)?, "MB", None));
    rows.push(row("memory-relay", resident_mb(roles.pid(Role::Qemu)?)?, "MB", None));
    let counters: Value = serde_json::from_str(&roles.wasmbed(&["counters", &device])?)?;
    let painted = find(&counters, "stackHighWaterBytes").and_then(Value::as_u64);
    let painted = painted.context("the heartbeat says nothing of the stack")?;
    size::keep_painted(&board.name, painted)?;
    let bound = figures.get("loop_stack_worst_bytes").unwrap_or(0);
    if painted > u64::from(bound) {
        bail!("the stack was {painted} B deep, and the call graph bounds it with {bound} B");
    }
    rows.push(row("stack-painted", painted as f64, "B", Some(f64::from(bound))));
    roles.stop()?;
    std::fs::remove_dir_all(folder)?;
    Ok(rows)
}

/// What the ELF file says.
fn sizes(figures: &Figures) -> Vec<Row> {
    let figure = |key: &str| f64::from(figures.get(key).unwrap_or(0));
    let stacks = figure("loop_stack_bytes") + figure("interrupt_stack_bytes");
    vec![
        row("flash", figure("flash_bytes"), "B", Some(160.0 * 1024.0)),
        row("static-ram", figure("static_ram_bytes"), "B", None),
        row("ram-besides-arena", figure("static_ram_bytes") + stacks, "B", Some(48.0 * 1024.0)),
        row("stack-bound", figure("loop_stack_worst_bytes"), "B", None),
        row("guest-arena", figure("guest_arena_bytes"), "B", None),
    ]
}

fn folder(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("wasmbed-bench-{name}-{}", std::process::id()))
}

/// A VirtualDevice.
fn virtual_device(name: &str, board: &str, power: &str) -> Value {
    json!({"apiVersion": "wasmbed.github.io/v1alpha1", "kind": "VirtualDevice",
        "metadata": {"name": name}, "spec": {"board": board, "power": power}})
}

/// Instructions of the handshake in the whole firmware, from building ClientHello to the first
/// message of the session, interrupts and everything else that runs meanwhile included.
fn handshake(board: &Board) -> Result<f64> {
    let folder = folder(&format!("{}-counted", board.name));
    std::fs::create_dir_all(&folder)?;
    let counted = instructions::prepare(board, &folder)?;
    let roles = Roles::start(&folder, Some(&counted.programs))?;
    roles.apply(&virtual_device("bench", &board.name, "On"))?;
    roles.wait_for("virtualdevice/bench", "jsonpath={.status.device}")?;
    let count = counted.first()?;
    roles.stop()?;
    std::fs::remove_dir_all(folder)?;
    Ok(count)
}

/// From the start of the emulator's process to the moment at which the VirtualDevice's status names
/// the Device that the board enrolled as, seen by a watch.
fn boot_ms(roles: &Roles, name: &str, board: &Board) -> Result<f64> {
    roles.apply(&virtual_device(name, &board.name, "Off"))?;
    let what = format!("virtualdevice/{name}");
    let state = "--for=jsonpath={.status.device}";
    let mut waiting = roles.command(&["wait", &what, state, "--timeout=60s"]);
    let mut waiting = waiting.stdout(Stdio::null()).spawn().context("start wasmbed wait")?;
    roles.apply(&virtual_device(name, &board.name, "On"))?;
    if !waiting.wait()?.success() {
        bail!("the board did not enrol\n{}", roles.wasmbed(&["describe", &what])?);
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    let status = roles.get(&what)?["status"].clone();
    let emulator = u32::try_from(status["pid"].as_i64().context("no emulator")?)?;
    Ok((now - started_at(emulator)?) * 1000.0)
}

/// Bytes of an image per second, and how many there were: from the first chunk that the gateway
/// sent to the device's word that it holds the image, which it has verified.
fn install_rate(roles: &Roles, board: &Board) -> Result<(f64, f64)> {
    let arena = size::of(board)?.get("guest_arena_bytes").unwrap_or(0);
    let data_bytes = (arena / 4).min(DATA_BYTES_MAX);
    let file = roles.folder().join("bench.wasm");
    std::fs::write(&file, module::of_data(data_bytes))?;
    let from = roles.log(Role::Gateway)?.len();
    let file = file.display().to_string();
    roles.wasmbed(&["create", "application", "bench", "--module", &file])?;
    roles.wait_for("application/bench", "jsonpath={.status.counts.running}=1")?;
    let log = roles.log(Role::Gateway)?;
    let (mut first, mut held, mut bytes) = (None, None, 0.0);
    for line in log.get(from..).unwrap_or_default().lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let fields = &line["fields"];
        let at = || line["timestamp"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        match fields["message"].as_str() {
            Some("image chunk") => {
                first = first.or_else(at);
                bytes += fields["bytes"].as_f64().unwrap_or(0.0);
            }
            Some("guest report") if held.is_none() && first.is_some() => {
                let state = fields["state"].as_str().unwrap_or_default();
                held = at().filter(|_| state == "Installed" || state == "Running");
            }
            _ => {}
        }
    }
    let (Some(first), Some(held)) = (first, held) else {
        bail!("the gateway's log does not say when the image was sent");
    };
    roles.wasmbed(&["delete", "application", "bench"])?;
    let seconds = held.duration_since(first).as_secs_f64();
    Ok((bytes / seconds, bytes))
}

/// Processor time of emulators and of their manager while nothing happens, in percent of a core.
struct Idle {
    emulators: f64,
    manager: f64,
}

fn idle(emulators: &[u32], roles: &Roles) -> Result<Idle> {
    let manager = roles.pid(Role::Qemu)?;
    let sum = || emulators.iter().map(|pid| processor_seconds(*pid)).sum::<Result<f64>>();
    let (before, manager_before) = (sum()?, processor_seconds(manager)?);
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(IDLE_SECONDS));
    let percent = |seconds: f64| seconds / start.elapsed().as_secs_f64() * 100.0;
    Ok(Idle {
        emulators: percent(sum()? - before),
        manager: percent(processor_seconds(manager)? - manager_before),
    })
}

/// Time that all threads of a process have run. Those that ended are not counted.
fn processor_seconds(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0_u64;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended since.
        let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0);
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// The first value under a key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            fields.get(key).or_else(|| fields.values().find_map(|inner| find(inner, key)))
        }
        Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

/// Ten VirtualDevices applied at once: time until all are Ready, and what they cost then.
fn ten(boards: &[Board]) -> Result<Vec<Row>> {
    let folder = folder("ten");
    let roles = Roles::start(&folder, None)?;
    let items: Vec<Value> = (0..COUNT)
        .zip(boards.iter().cycle())
        .map(|(index, board)| virtual_device(&format!("bench-{index}"), &board.name, "On"))
        .collect();
    let start = Instant::now();
    roles.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?;
    for index in 0..COUNT {
        roles.wait_for(&format!("virtualdevice/bench-{index}"), "condition=Ready")?;
    }
    let ready_ms = start.elapsed().as_secs_f64() * 1000.0;
    let mut emulators = Vec::new();
    for index in 0..COUNT {
        let status = roles.get(&format!("virtualdevice/bench-{index}"))?["status"].clone();
        emulators.push(u32::try_from(status["pid"].as_i64().context("no emulator")?)?);
    }
    let idle = idle(&emulators, &roles)?;
    let resident: Result<f64> = emulators.iter().map(|pid| resident_mb(*pid)).sum();
    let proportional: Result<f64> = emulators.iter().map(|pid| proportional_mb(*pid)).sum();
    let rows = vec![
        row("ready", ready_ms, "ms", None),
        row("idle-qemu", idle.emulators, "% core", Some(0.5 * COUNT as f64)),
        row("idle-relay", idle.manager, "% core", None),
        row("memory-qemu", resident?, "MB", None),
        row("memory-qemu-shared-once", proportional?, "MB", None),
        row("memory-relay", resident_mb(roles.pid(Role::Qemu)?)?, "MB", None),
    ];
    roles.stop()?;
    std::fs::remove_dir_all(folder)?;
    Ok(rows)
}

/// Memory of a process in which what several share counts for each in part.
fn proportional_mb(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
