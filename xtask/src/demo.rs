//! `cargo xtask demo`: the whole way from one command to a guest's log line, each step timed.

pub mod platform;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{boards, paths, setup};
use platform::Platform;

const VIRTUAL_DEVICE: &str = "demo";
const APPLICATION: &str = "hello";
/// Log lines of the guest that are waited for.
const LOG_LINES: usize = 3;

/// Shows steps with the time each took and the time since the start.
struct Steps {
    start: Instant,
    last: Instant,
}

impl Steps {
    fn new() -> Self {
        Self { start: Instant::now(), last: Instant::now() }
    }

    fn done(&mut self, what: &str, detail: &str) {
        let (step, total) = (self.last.elapsed(), self.start.elapsed());
        self.last = Instant::now();
        println!(
            "✓ {what:<22}{:>7.2} s {:>7.2} s   {detail}",
            step.as_secs_f32(),
            total.as_secs_f32()
        );
    }
}

/// Runs the demo. `once` tears everything down and looks whether something was left behind.
pub fn run(once: bool, board: &str) -> Result<()> {
    let chosen = boards::find(board)?;
    let board = chosen.name.as_str();
    let mut steps = Steps::new();
    setup::run(&setup::Options::default())?;
    steps.done("set up", "QEMU, Rust targets");
    boards::build_host()?;
    steps.done("host built", "wasmbed");
    boards::build(&chosen)?;
    steps.done("firmware built", board);
    let guests = boards::build_guests()?;
    steps.done("guests built", "hello, sampler");

    let folder = folder(once);
    let platform = Platform::start(&folder)?;
    steps.done("platform up", &platform.kubeconfig().display().to_string());
    let result = show(&platform, board, &guests, &mut steps);
    if !once {
        result?;
        println!("\n{}", next_commands(&platform));
        return platform.wait();
    }
    let left = tear_down(platform, &folder, &mut steps);
    result?;
    left
}

/// A run that is torn down has a folder of its own; one that stays keeps what it had.
fn folder(once: bool) -> PathBuf {
    if once {
        std::env::temp_dir().join(format!("wasmbed-demo-{}", std::process::id()))
    } else {
        paths::target().join("demo")
    }
}

fn show(platform: &Platform, board: &str, guests: &Path, steps: &mut Steps) -> Result<()> {
    let manifest = serde_json::json!({
        "apiVersion": "wasmbed.github.io/v1alpha1", "kind": "VirtualDevice",
        "metadata": {"name": VIRTUAL_DEVICE}, "spec": {"board": board}});
    platform.apply(&manifest)?;
    let device = format!("virtualdevice/{VIRTUAL_DEVICE}");
    platform.wait_for(&device, "condition=Powered")?;
    let status = platform.get(&device)?;
    let console =
        status["status"]["consoleLog"].as_str().context("no console log in the status")?;
    let line = platform::line_of(console.as_ref(), "wasmbed", Duration::from_secs(20))?;
    steps.done("board booted", &line);

    platform.wait_for(&device, "jsonpath={.status.device}")?;
    let name = platform.get(&device)?["status"]["device"].as_str().unwrap_or("").to_owned();
    platform.wait_for(&format!("device/{name}"), "condition=Connected")?;
    steps.done("enrolled", &format!("{name}, over mutual TLS 1.3"));

    let module = guests.join("hello.wasm");
    let bytes = std::fs::metadata(&module).context("the hello guest was not built")?.len();
    let module = module.display().to_string();
    let selector = format!("wasmbed.github.io/alias={VIRTUAL_DEVICE}");
    let mut arguments = vec!["create", "application", APPLICATION, "--module", &module];
    arguments.extend(["-l", &selector, "--capability", "log", "--capability", "timer"]);
    platform.wasmbed(&arguments)?;
    steps.done("application applied", &format!("{bytes} bytes of WebAssembly"));

    let application = format!("application/{APPLICATION}");
    platform.wait_for(&application, "condition=Prepared")?;
    let status = platform.get(&application)?["status"].clone();
    let revision = status["targetRevision"].as_str().unwrap_or("").to_owned();
    steps.done("image prepared", &prepared(platform, &revision, &status)?);

    let device = format!("device/{name}");
    // Verified and stored counts as installed; the word is the device's, and by the time it is read
    // the device may be a step further.
    let steps_of_device = [
        ("installed", &application, "jsonpath={.status.counts.installed}=1"),
        ("running", &device, "jsonpath={.status.applications[0].state}=Running"),
    ];
    for (step, object, wanted) in steps_of_device {
        platform.wait_for(object, wanted)?;
        let report = platform.get(&device)?["status"]["applications"][0].clone();
        let digest = report["imageDigest"].as_str().unwrap_or("").to_owned();
        let text = format!(
            "the device says {} for image {}…",
            report["state"].as_str().unwrap_or("?"),
            digest.get(..12).unwrap_or_default()
        );
        steps.done(step, &text);
    }
    platform.wait_for(&application, "condition=Ready")?;
    for line in platform.first_log_lines(&name, LOG_LINES)? {
        steps.done("log", &line);
    }
    Ok(())
}

fn prepared(platform: &Platform, revision: &str, status: &Value) -> Result<String> {
    let spec = platform.get(&format!("applicationrevision/{revision}"))?["spec"].clone();
    let fit = &status["fit"][0];
    Ok(format!(
        "image {} bytes; needs {} of {} bytes of guest RAM on {}: {}",
        spec["imageBytes"],
        fit["neededArenaBytes"],
        fit["arenaBytes"],
        fit["board"].as_str().unwrap_or("?"),
        if fit["fits"] == true { "fits" } else { "does not fit" }
    ))
}

fn tear_down(platform: Platform, folder: &Path, steps: &mut Steps) -> Result<()> {
    let group = platform.processes();
    platform.stop()?;
    let left: Vec<String> =
        group.iter().filter(|pid| platform::is_alive(**pid)).map(u32::to_string).collect();
    if !left.is_empty() {
        bail!("processes were left behind: {}", left.join(", "));
    }
    std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    steps.done("torn down", &format!("{} processes ended, none left behind", group.len()));
    std::io::stdout().flush()?;
    Ok(())
}

fn next_commands(platform: &Platform) -> String {
    let program = paths::wasmbed();
    let folder = program.parent().unwrap_or(&program).display().to_string();
    format!(
        "The platform keeps running. In another terminal:\n\n  \
         export PATH={folder}:$PATH KUBECONFIG={}\n  \
         wasmbed get devices,applications -o wide\n  \
         wasmbed logs -f virtualdevice/{VIRTUAL_DEVICE}\n  \
         wasmbed describe application {APPLICATION}\n  \
         wasmbed reboot virtualdevice/{VIRTUAL_DEVICE}\n  \
         wasmbed delete application {APPLICATION}\n\n\
         Ctrl-C here stops everything.",
        platform.kubeconfig().display()
    )
}
