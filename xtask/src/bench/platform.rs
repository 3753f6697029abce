//! The platform as a whole: how long its steps take, and what it costs while nothing happens.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Options, Row, module};
use crate::demo::platform::Platform;
use crate::{boards, setup};

const BOARD: &str = "mps2-an385";
/// How long the idle platform is watched. Here time itself is what is measured.
const IDLE_SECONDS: u64 = 60;
const MODULE_BYTES: u32 = 10 * 1024;

/// Measures on a fresh platform with one board.
pub fn run(_: &Options) -> Result<Vec<Row>> {
    setup::run(&setup::Options::default())?;
    boards::build_host()?;
    let known = boards::all()?;
    let board = known.iter().find(|board| board.name == BOARD).context("no such board")?;
    boards::build(board)?;
    let folder = std::env::temp_dir().join(format!("wasmbed-bench-{}", std::process::id()));
    let start = Instant::now();
    let platform = Platform::start(&folder)?;
    let mut rows = vec![row("platform/ready", ms(start.elapsed()), "ms", None)];
    let manifest = serde_json::json!({
        "apiVersion": "wasmbed.github.io/v1alpha1", "kind": "VirtualDevice",
        "metadata": {"name": "bench"}, "spec": {"board": BOARD}});
    platform.apply(&manifest)?;
    platform.wait_for("virtualdevice/bench", "jsonpath={.status.device}")?;
    let status = platform.get("virtualdevice/bench")?["status"].clone();
    let device = status["device"].as_str().context("no device")?.to_owned();
    let emulator = u32::try_from(status["pid"].as_i64().context("no emulator")?)?;
    platform.wait_for(&format!("device/{device}"), "condition=Connected")?;
    rows.push(row(
        "platform/start-to-heartbeat",
        heartbeat_ms(&platform, emulator)?,
        "ms",
        Some(500.0),
    ));
    rows.push(row("platform/apply-to-running", running_ms(&platform, &folder)?, "ms", Some(500.0)));
    platform.wasmbed(&["delete", "application", "bench"])?;

    let up = platform.pid();
    let (before_up, before_qemu) = (cpu_ticks(up)?, cpu_ticks(emulator)?);
    std::thread::sleep(Duration::from_secs(IDLE_SECONDS));
    let (after_up, after_qemu) = (cpu_ticks(up)?, cpu_ticks(emulator)?);
    let percent = |ticks: u64| ticks as f64 / ticks_per_second() / IDLE_SECONDS as f64 * 100.0;
    rows.push(row("idle/qemu", percent(after_qemu - before_qemu), "% core", Some(0.5)));
    rows.push(row("idle/wasmbed-up", percent(after_up - before_up), "% core", Some(1.0)));
    rows.push(row("memory/wasmbed-up", resident_mb(up)?, "MB", Some(60.0)));
    rows.push(row("memory/qemu", resident_mb(emulator)?, "MB", None));
    platform.stop()?;
    std::fs::remove_dir_all(folder)?;
    Ok(rows)
}

fn row(name: &str, value: f64, unit: &'static str, goal: Option<f64>) -> Row {
    Row { name: name.to_owned(), value, unit, goal, versus: String::new() }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// From the start of the emulator's process to the arrival of the first heartbeat.
fn heartbeat_ms(platform: &Platform, emulator: u32) -> Result<f64> {
    let counters = platform.wasmbed(&["counters", "virtualdevice/bench"])?;
    let counters: serde_json::Value = serde_json::from_str(&counters)?;
    let time = counters["time"].as_str().context("the heartbeat has no time")?.to_owned();
    let date = std::process::Command::new("date").args(["-d", &time, "+%s.%N"]).output()?;
    let arrived: f64 = String::from_utf8_lossy(&date.stdout).trim().parse()?;
    Ok((arrived - started_at(emulator)?) * 1000.0)
}

/// From `wasmbed apply` to the device's own word that the guest runs.
fn running_ms(platform: &Platform, folder: &std::path::Path) -> Result<f64> {
    let file = folder.join("bench.wasm");
    std::fs::write(&file, module::with_data(MODULE_BYTES))?;
    let start = Instant::now();
    let module = file.display().to_string();
    platform.wasmbed(&["create", "application", "bench", "--module", &module])?;
    platform.wait_for("application/bench", "jsonpath={.status.counts.running}=1")?;
    Ok(ms(start.elapsed()))
}

fn stat(pid: u32) -> Result<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = text.rsplit(") ").next().unwrap_or_default();
    Ok(fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// User and system time of a process, all its threads, in clock ticks.
fn cpu_ticks(pid: u32) -> Result<u64> {
    let fields = stat(pid)?;
    // Fields 14 and 15 of proc(5), counted from the state, which is field 3.
    Ok(fields.get(11).copied().unwrap_or(0) + fields.get(12).copied().unwrap_or(0))
}

/// Unix time at which a process started.
pub fn started_at(pid: u32) -> Result<f64> {
    let ticks = stat(pid)?.get(19).copied().context("no start time")?;
    let text = std::fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    Ok(now - uptime + ticks as f64 / ticks_per_second())
}

fn ticks_per_second() -> f64 {
    // SAFETY: sysconf has no preconditions.
    #[expect(unsafe_code, reason = "the standard library does not tell the clock's rate")]
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks as f64
}

/// Resident memory of a process.
pub fn resident_mb(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
