//! The command line of one platform, and what tests ask of it again and again.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::platform::{first_board, path};

/// Longest wait for a state, on a machine that does other things besides.
const WAIT: &str = "--timeout=150s";
/// The same for a line.
const LINE_SECONDS_MAX: u64 = 150;

/// `wasmbed` with the kubeconfig of one platform, and the folder that this keeps everything in.
pub struct Cli {
    pub(crate) folder: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

impl Cli {
    /// A platform that keeps everything in an empty folder, its kubeconfig included.
    ///
    /// # Panics
    /// If the folder cannot be made.
    pub fn in_new_folder(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wasmbed-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
        Self { kubeconfig: folder.join("kubeconfig"), folder }
    }

    /// Folder of everything the platform keeps.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kubeconfig of the API server in use.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs `wasmbed` and returns what it printed, whether it succeeded or not.
    ///
    /// # Panics
    /// If the binary cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap_or_else(|error| panic!("wasmbed: {error}"))
    }

    /// A `wasmbed` command line on this platform.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(path("WASMBED_BIN"));
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `wasmbed`, which must succeed, and returns its standard output.
    ///
    /// # Panics
    /// If it fails; both outputs and the platform's log are part of the message.
    #[track_caller]
    pub fn wasmbed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "wasmbed {}: {}{}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.state()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Applies objects.
    ///
    /// # Panics
    /// If the server refuses them.
    #[track_caller]
    pub fn apply(&self, objects: &Value) {
        let output = self.try_apply(objects);
        assert!(output.status.success(), "apply: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Applies objects, whatever comes of it.
    ///
    /// # Panics
    /// If the binary cannot be started.
    pub fn try_apply(&self, objects: &Value) -> Output {
        self.apply_with(objects, &["apply", "-f", "-"])
    }

    fn apply_with(&self, objects: &Value, arguments: &[&str]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("wasmbed: {error}"));
        if let Some(mut input) = child.stdin.take() {
            let _ = input.write_all(objects.to_string().as_bytes());
        }
        child.wait_with_output().unwrap_or_else(|error| panic!("wasmbed: {error}"))
    }

    /// One object.
    #[track_caller]
    pub fn get(&self, what: &str) -> Value {
        let text = self.wasmbed(&["get", what, "-o", "json"]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Waits for a state as `wasmbed wait` does.
    #[track_caller]
    pub fn wait(&self, what: &str, state: &str) {
        let state = format!("--for={state}");
        self.wasmbed(&["wait", what, &state, WAIT]);
    }

    /// Boots a board and returns the name of the Device it enrolled as.
    #[track_caller]
    pub fn boot(&self, name: &str) -> String {
        self.boot_board(name, first_board().name)
    }

    /// The same for a board of the caller's choice.
    #[track_caller]
    pub fn boot_board(&self, name: &str, board: &str) -> String {
        self.apply(&crate::modules::virtual_device(name, board));
        self.boot_known(name)
    }

    /// The same for a VirtualDevice that was applied.
    #[track_caller]
    pub fn boot_known(&self, name: &str) -> String {
        let what = format!("virtualdevice/{name}");
        self.wait(&what, "jsonpath={.status.device}");
        let device = self.get(&what)["status"]["device"].as_str().unwrap_or_default().to_owned();
        self.wait(&format!("device/{device}"), "condition=Connected");
        device
    }

    /// Switches a VirtualDevice off and on again, as a power cut would.
    #[track_caller]
    pub fn cut_power(&self, virtual_device: &str) {
        self.patch_spec(virtual_device, |spec| spec["power"] = "Off".into());
        self.wait(virtual_device, "condition=Powered=False");
        self.patch_spec(virtual_device, |spec| spec["power"] = "On".into());
    }

    /// Plugs a VirtualDevice's cable `In` or `Out`.
    #[track_caller]
    pub fn plug(&self, virtual_device: &str, state: &str) {
        self.patch_spec(virtual_device, |spec| spec["cable"] = state.into());
    }

    /// Ends a VirtualDevice's emulator as the kernel would.
    #[track_caller]
    pub fn kill_emulator(&self, virtual_device: &str) {
        let pid = self.get(virtual_device)["status"]["pid"].as_i64().unwrap_or_default();
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "no emulator to kill");
    }

    /// A number of an object's status; 0 where there is none.
    #[track_caller]
    pub fn number(&self, what: &str, pointer: &str) -> i64 {
        self.get(what).pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
    }

    /// Waits until the condition `Ready` has this reason, and returns its message.
    #[track_caller]
    pub fn ready_reason(&self, what: &str, reason: &str) -> String {
        let path = "{.status.conditions[?(@.type==\"Ready\")].reason}";
        self.wait(what, &format!("jsonpath={path}={reason}"));
        let object = self.get(what);
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == "Ready");
        found.and_then(|condition| condition["message"].as_str()).unwrap_or_default().to_owned()
    }

    /// Changes fields of an object's spec, whoever set them.
    ///
    /// # Panics
    /// If the server refuses that.
    #[track_caller]
    pub fn patch_spec(&self, what: &str, change: impl Fn(&mut Value)) {
        let mut object = self.get(what);
        change(&mut object["spec"]);
        let kept = serde_json::json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"],
            "metadata": {"name": object["metadata"]["name"]}, "spec": object["spec"]});
        let output = self.apply_with(&kept, &["apply", "--force-conflicts", "-f", "-"]);
        assert!(output.status.success(), "apply: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Follows a device's log until a line satisfies `wanted`, and returns that line.
    ///
    /// # Panics
    /// If there is none in time.
    #[track_caller]
    pub fn log_line(&self, device: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.line(&["logs", "-f", device], wanted)
    }

    /// The same for what guests send.
    #[track_caller]
    pub fn message(&self, device: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.line(&["messages", "-f", device], wanted)
    }

    #[track_caller]
    fn line(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(LINE_SECONDS_MAX);
        let mut seen = Vec::new();
        // A device whose gateway was just restarted has no session for a moment, and following its
        // log ends with that answer: then it is asked again.
        while Instant::now() < deadline {
            if let Some(line) = self.follow(arguments, deadline, &wanted, &mut seen) {
                return line;
            }
        }
        panic!("no such line of {}: {seen:#?}{}", arguments.join(" "), self.state())
    }

    /// Follows until a wanted line, until the command ends, or until the deadline.
    fn follow(
        &self,
        arguments: &[&str],
        deadline: Instant,
        wanted: &impl Fn(&str) -> bool,
        seen: &mut Vec<String>,
    ) -> Option<String> {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("wasmbed: {error}"));
        let (sender, receiver) = std::sync::mpsc::channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let found = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(left) {
                Ok(line) if wanted(&line) => break Some(line),
                Ok(line) => seen.push(line),
                Err(_) => break None,
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        found
    }

    /// What a failed test should show: objects, console logs and the platform's own log.
    pub fn state(&self) -> String {
        let mut text = String::from("\n--- objects\n");
        let all = "virtualdevices,devices,applications,applicationrevisions,enrollments,gateways";
        let output = self.run(&["get", all, "-o", "yaml"]);
        text += &String::from_utf8_lossy(&output.stdout);
        for path in logs(&self.folder) {
            let content = std::fs::read(&path).unwrap_or_default();
            let content = String::from_utf8_lossy(&content).into_owned();
            let lines: Vec<&str> = content.lines().collect();
            let tail = lines.len().saturating_sub(60);
            text += &format!("--- {}\n{}\n", path.display(), lines[tail..].join("\n"));
        }
        text
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        if std::env::var_os("WASMBED_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
