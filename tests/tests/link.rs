//! A board on serial devices of this machine, connected by `wasmbed link`: QEMU's serial ports are
//! pseudo-terminals, as adapters of a real board would be terminals.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::json;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, boards, guest, path, prepared};

const BOARD: &str = "stm32vldiscovery";
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "for the board on the desk only";

/// A process that ends with the value, and the lines it writes.
struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        let outputs: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line with `word` that nobody has waited for yet.
    #[track_caller]
    fn wait_for(&mut self, word: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(word) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("never said {word:?}: {:#?}", self.seen),
            }
        }
    }

    fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap_or_else(|| panic!("no input"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An emulator that stands still, whose serial ports are pseudo-terminals, and their names.
fn start_emulator() -> (Process, [String; 3]) {
    let mut command = Command::new("qemu-system-arm");
    command.args(["-M", BOARD, "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"]);
    for port in ["uplink", "entropy", "flash"] {
        let (chardev, serial) = (format!("pty,id={port}"), format!("chardev:{port}"));
        command.args(["-chardev", &chardev, "-serial", &serial]);
    }
    command.arg("-kernel").arg(path("WASMBED_BOARDS").join(BOARD).join("firmware.elf"));
    let mut emulator = Process::start(command);
    let ports = [(); 3].map(|()| {
        let line = emulator.wait_for("char device redirected to ");
        line.split_whitespace().nth(4).unwrap_or_default().to_owned()
    });
    (emulator, ports)
}

/// Provisions a flash for a board of the platform, and says where its gateway is.
fn provision(platform: &Platform) -> (PathBuf, String) {
    platform.apply(&json!({
        "apiVersion": "wasmbed.github.io/v1alpha1", "kind": "Enrollment",
        "metadata": {"name": "desk"},
        "spec": {
            "tokenSha256": modules::digest(TOKEN.as_bytes()).replace("sha256:", ""),
            "labels": {"wasmbed.github.io/alias": "desk"}, "autoApprove": true}}));
    let endpoint = platform.get("gateway/gateway")["spec"]["endpoint"].clone();
    let host = endpoint["host"].as_str().unwrap_or_default();
    let gateway = format!("{host}:{}", endpoint["port"]);
    let (flash, token) = (platform.folder().join("desk.bin"), platform.folder().join("desk.token"));
    std::fs::write(&token, TOKEN).unwrap_or_else(|error| panic!("{error}"));
    let text = |path: &PathBuf| path.display().to_string();
    let folder = platform.folder().display().to_string();
    platform.wasmbed(&[
        "provision",
        "--board",
        BOARD,
        "--flash",
        &text(&flash),
        "--address",
        &gateway,
        "--token-file",
        &text(&token),
        "--data-dir",
        &folder,
    ]);
    (flash, gateway)
}

/// `wasmbed link` on the three ports, once all of them are open.
fn link(platform: &Platform, ports: &[String; 3], flash: &PathBuf, gateway: &str) -> Process {
    let [uplink, entropy, storage] = ports;
    let mut command = platform.command(&["link", "--serial", uplink, "--gateway", gateway]);
    command.args(["--entropy-serial", entropy, "--flash-serial", storage, "--board", BOARD]);
    command.arg("--flash").arg(flash);
    let mut link = Process::start(command);
    (0..3).for_each(|_| drop(link.wait_for("serial line is open")));
    link
}

#[test]
fn a_board_on_serial_devices_enrols_and_runs_applications_whatever_is_restarted() {
    if !boards().iter().any(|board| board.name == BOARD) {
        println!("\nskipped: this run is not about {BOARD}");
        return;
    }
    if !prepared() {
        return;
    }
    let platform = Platform::start("link");
    let (flash, gateway) = provision(&platform);
    let (mut emulator, ports) = start_emulator();
    let mut bridge = link(&platform, &ports, &flash, &gateway);
    let start = Instant::now();
    writeln!(emulator.input(), "cont").unwrap_or_else(|error| panic!("{error}"));
    bridge.wait_for("boot 1, device ");
    platform.wait("enrollment/desk", "jsonpath={.status.uses[0].device}");
    let uses = platform.get("enrollment/desk")["status"]["uses"].clone();
    let device = uses[0]["device"].as_str().unwrap_or_default().to_owned();
    let what = format!("device/{device}");
    platform.wait(&what, "condition=Connected");
    println!("figure: enrolled over a pseudo-terminal in {:.1} s", start.elapsed().as_secs_f32());
    platform.wasmbed(&["ping", &device]);

    let module = guest("hello");
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "desk"));
    platform.wait("application/app", "condition=Ready");
    platform.log_line(&device, |line| line.contains("hello"));

    // The bridge ends in the middle of whatever it is doing, twice.
    for _ in 0..2 {
        drop(bridge);
        platform.wait(&what, "condition=Connected=False");
        bridge = link(&platform, &ports, &flash, &gateway);
        platform.wait(&what, "condition=Connected");
        platform.wasmbed(&["ping", &device]);
    }
    // And the board.
    writeln!(emulator.input(), "system_reset").unwrap_or_else(|error| panic!("{error}"));
    bridge.wait_for(&format!("boot 2, device {device}"));
    platform.wait(&what, "jsonpath={.status.bootCount}=2");
    platform.wait(&what, "condition=Connected");
    platform.log_line(&device, |line| line.contains("hello"));
    drop(emulator);
    bridge.wait_for("serial line is gone");
    bridge.wait_for("waiting for the serial line");
    platform.wait(&what, "condition=Connected=False");
    println!("\ncases: 14");
}
