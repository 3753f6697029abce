//! `wasmbed doctor`: looks at everything a platform needs, and says what to do about what is wrong.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::arguments::{Doctor, Scope};
use crate::client::{Connection, connect, state_directory};
use crate::get::fetch;
use crate::kinds::Kind;
use crate::output::outln;
use crate::platform::{default_boards, now_s};

/// What a check found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Good,
    Notice,
    Bad,
}

struct Check {
    name: &'static str,
    verdict: Verdict,
    text: String,
}

const QEMU_MAJOR_MIN: u32 = 8;
const DAYS_LEFT_MIN: i64 = 14;
const FREE_BYTES_MIN: u64 = 256 << 20;

/// Runs all checks; fails if one found something bad.
pub async fn run(scope: &Scope, doctor: &Doctor) -> Result<ExitCode> {
    let mut checks = vec![qemu(), firmware(doctor), certificates(), disk()];
    checks.extend(cluster(scope).await);
    match doctor.output.as_deref() {
        None => {
            for check in &checks {
                let sign = match check.verdict {
                    Verdict::Good => '✓',
                    Verdict::Notice => '!',
                    Verdict::Bad => '✗',
                };
                outln!("{sign} {:<14}{}", check.name, check.text);
            }
        }
        Some("json") => {
            let rows: Vec<Value> = checks
                .iter()
                .map(|check| {
                    let verdict = format!("{:?}", check.verdict);
                    json!({"name": check.name, "verdict": verdict, "text": check.text})
                })
                .collect();
            outln!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Some(other) => bail!("unknown output format {other:?}; there is: json"),
    }
    let is_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check(name: &'static str, verdict: Verdict, text: impl Into<String>) -> Check {
    Check { name, verdict, text: text.into() }
}

fn qemu() -> Check {
    let name = "QEMU";
    let Ok(output) = Command::new("qemu-system-arm").arg("--version").output() else {
        return check(
            name,
            Verdict::Bad,
            "qemu-system-arm is not installed; see `cargo xtask setup`",
        );
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.lines().next().unwrap_or_default().to_owned();
    let major = version
        .split("version ")
        .nth(1)
        .and_then(|rest| rest.split('.').next())
        .and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= QEMU_MAJOR_MIN => check(name, Verdict::Good, version),
        _ => check(name, Verdict::Bad, format!("{QEMU_MAJOR_MIN}.0 or newer is needed: {version}")),
    }
}

fn firmware(doctor: &Doctor) -> Check {
    let name = "firmware";
    let folder = doctor.boards.clone().unwrap_or_else(default_boards);
    let (present, missing): (Vec<&str>, Vec<&str>) = wasmbed_catalog::BOARDS
        .iter()
        .map(|board| board.name)
        .partition(|board| folder.join(board).join("firmware.elf").is_file());
    if present.is_empty() {
        let text = format!("none in {}; see `cargo xtask firmware`", folder.display());
        return check(name, Verdict::Bad, text);
    }
    let verdict = if missing.is_empty() { Verdict::Good } else { Verdict::Notice };
    let mut text = format!("{} in {}", present.join(", "), folder.display());
    if !missing.is_empty() {
        text += &format!("; missing: {}", missing.join(", "));
    }
    check(name, verdict, text)
}

fn certificates() -> Check {
    let name = "certificates";
    let folder = state_directory();
    if !folder.join("pki").is_dir() {
        return check(name, Verdict::Notice, format!("none in {} yet", folder.display()));
    }
    match crate::certs::open(Some(&folder)).and_then(|fleet| Ok(fleet.list()?)) {
        Err(error) => check(name, Verdict::Bad, format!("{error:#}")),
        Ok(entries) => {
            let ends = entries.iter().filter_map(|entry| Some((entry.not_after_s?, &entry.name)));
            match ends.min() {
                None => check(name, Verdict::Notice, "no certificate has been issued yet"),
                Some((end, which)) => {
                    let days = (end - now_s()) / 86_400;
                    let text = format!("the first to end is {which}, in {days} days");
                    let low = days < DAYS_LEFT_MIN;
                    check(name, if low { Verdict::Notice } else { Verdict::Good }, text)
                }
            }
        }
    }
}

fn disk() -> Check {
    let name = "disk";
    let folder = state_directory();
    let existing = folder.ancestors().find(|path| path.is_dir()).unwrap_or(&folder);
    let Ok(free) = rustix::fs::statvfs(existing) else {
        return check(name, Verdict::Bad, format!("{} cannot be looked at", existing.display()));
    };
    let bytes = free.f_bavail.saturating_mul(free.f_frsize);
    let text = format!("{} MiB free at {}", bytes >> 20, existing.display());
    check(name, if bytes < FREE_BYTES_MIN { Verdict::Bad } else { Verdict::Good }, text)
}

async fn cluster(scope: &Scope) -> Vec<Check> {
    let connection = match connect(scope).await {
        Ok(connection) => connection,
        Err(error) => return vec![check("API server", Verdict::Bad, format!("{error:#}"))],
    };
    let version = match fetch(&connection.client, "/version", "application/json").await {
        Ok(version) => version["gitVersion"].as_str().unwrap_or("unknown").to_owned(),
        Err(error) => {
            let text = format!("does not answer: {error:#}; start it with `wasmbed up`");
            return vec![check("API server", Verdict::Bad, text)];
        }
    };
    let mut checks = vec![check("API server", Verdict::Good, version)];
    for (name, kind) in [("gateways", "gateway"), ("devices", "device")] {
        checks.push(readiness(&connection, name, kind).await);
    }
    checks
}

/// Counts the objects whose condition `Ready` holds.
async fn readiness(connection: &Connection, name: &'static str, kind: &str) -> Check {
    let list = match Kind::parse(kind) {
        Ok(kind) => {
            let path = kind.path(Some(&connection.namespace), None);
            fetch(&connection.client, &path, "application/json").await
        }
        Err(error) => Err(error),
    };
    let items = match list {
        Ok(list) => list["items"].as_array().cloned().unwrap_or_default(),
        Err(error) => return check(name, Verdict::Bad, format!("{error:#}")),
    };
    let ready = items
        .iter()
        .filter(|item| {
            let conditions = item["status"]["conditions"].as_array();
            conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
        })
        .count();
    let text = format!("{ready} of {} ready in namespace {}", items.len(), connection.namespace);
    check(name, if ready == items.len() { Verdict::Good } else { Verdict::Notice }, text)
}
