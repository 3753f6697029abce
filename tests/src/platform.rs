//! A running `wasmbed up` in a folder of its own, and the CLI that talks to it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest time from the start of `wasmbed up` to its ready line, on a busy machine.
const READY_SECONDS_MAX: u64 = 60;

/// A platform that ends with the value.
pub struct Platform {
    child: Child,
    folder: PathBuf,
    kubeconfig: PathBuf,
    launch: Launch,
}

/// Which binary is started as `wasmbed up`, and with what besides its folders.
struct Launch {
    binary: PathBuf,
    arguments: Vec<String>,
    key_log: Option<PathBuf>,
}

impl Launch {
    fn with(arguments: Vec<String>) -> Self {
        Self { binary: path("WASMBED_BIN"), arguments, key_log: None }
    }
}

/// The path that the test runner gives under this name.
///
/// # Panics
/// If `cargo xtask test` did not set it.
pub fn path(variable: &str) -> PathBuf {
    let Some(path) = std::env::var_os(variable) else {
        panic!("{variable} is not set: run these tests with `cargo xtask test`");
    };
    PathBuf::from(path)
}

/// Whether this run has what the tests start.
pub fn is_prepared() -> bool {
    std::env::var_os("WASMBED_BIN").is_some()
}

/// Board of this run.
pub fn board() -> String {
    std::env::var("WASMBED_TEST_BOARD").unwrap_or_else(|_| "mps2-an385".into())
}

impl Platform {
    /// Starts a platform with the embedded API server.
    ///
    /// # Panics
    /// If it does not become ready; its log is part of the message.
    pub fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wasmbed-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let kubeconfig = folder.join("kubeconfig");
        Self::start_in(folder, kubeconfig, Launch::with(Vec::new()))
    }

    /// Starts a platform that captures its cables, with a gateway that writes a key log.
    ///
    /// # Panics
    /// If it does not become ready; its log is part of the message.
    pub fn start_recorded(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wasmbed-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let kubeconfig = folder.join("kubeconfig");
        let launch = Launch {
            binary: path("WASMBED_BIN_KEYLOG"),
            arguments: vec!["--capture".to_owned()],
            key_log: Some(folder.join("secrets.txt")),
        };
        Self::start_in(folder, kubeconfig, launch)
    }

    /// Starts a platform on a cluster.
    ///
    /// # Panics
    /// If it does not become ready; its log is part of the message.
    pub fn start_on_cluster(name: &str, kubeconfig: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("wasmbed-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let arguments = vec!["--kubeconfig".to_owned(), kubeconfig.display().to_string()];
        Self::start_in(folder, kubeconfig.to_owned(), Launch::with(arguments))
    }

    fn start_in(folder: PathBuf, kubeconfig: PathBuf, launch: Launch) -> Self {
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
        let child = spawn(&folder, &launch);
        Self { child, folder, kubeconfig, launch }
    }

    /// Kills the platform as the kernel would, and starts it again on the same folder.
    pub fn kill_and_restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(&self.folder, &self.launch);
    }

    /// Folder of everything the platform keeps.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kubeconfig of the API server in use.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Process of `wasmbed up`.
    pub fn pid(&self) -> u32 {
        self.child.id()
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
        let mut child = self
            .command(&["apply", "-f", "-"])
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
        self.wasmbed(&["wait", what, &state, "--timeout=60s"]);
    }

    /// Boots a board and returns the name of the Device it enrolled as.
    #[track_caller]
    pub fn boot(&self, name: &str) -> String {
        self.apply(&crate::modules::virtual_device(name, &board()));
        let what = format!("virtualdevice/{name}");
        self.wait(&what, "jsonpath={.status.device}");
        let device = self.get(&what)["status"]["device"].as_str().unwrap_or_default().to_owned();
        self.wait(&format!("device/{device}"), "condition=Connected");
        device
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

    /// Changes fields of an object's spec.
    #[track_caller]
    pub fn patch_spec(&self, what: &str, change: impl Fn(&mut Value)) {
        let mut object = self.get(what);
        change(&mut object["spec"]);
        let kept = serde_json::json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"],
            "metadata": {"name": object["metadata"]["name"]}, "spec": object["spec"]});
        self.apply(&kept);
    }

    /// Ends the platform as Ctrl-C would, changes its folder, and starts it again.
    pub fn restart_after(&mut self, change: impl Fn(&Path)) {
        terminate(&mut self.child);
        change(&self.folder);
        self.child = spawn(&self.folder, &self.launch);
    }

    /// Follows a device's log until a line satisfies `wanted`, and returns that line.
    ///
    /// # Panics
    /// If the log ends, or 60 seconds pass, before.
    #[track_caller]
    pub fn log_line(&self, device: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut child = self
            .command(&["logs", "-f", device])
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
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut seen = Vec::new();
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
        found.unwrap_or_else(|| panic!("no such line in the log: {seen:#?}{}", self.state()))
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

    /// Ends the platform as Ctrl-C would, and says whether it ended well.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(mut self) -> bool {
        terminate(&mut self.child)
    }

    /// Ends a recorded platform: the capture of one VirtualDevice's cable, and the key log.
    ///
    /// # Panics
    /// If it does not end well, or one of the two files cannot be read.
    #[track_caller]
    pub fn stop_and_take_recording(mut self, uid: &str) -> (Vec<u8>, String) {
        assert!(terminate(&mut self.child), "a platform ends well when it is asked to");
        let capture = self.folder.join("boards").join(uid).join("wire.pcap");
        let key_log = self.launch.key_log.clone().unwrap_or_default();
        (
            std::fs::read(&capture).unwrap_or_else(|e| panic!("{}: {e}", capture.display())),
            std::fs::read_to_string(&key_log)
                .unwrap_or_else(|e| panic!("{}: {e}", key_log.display())),
        )
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        terminate(&mut self.child);
        if std::env::var_os("WASMBED_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Asks a process to end; `wait` returns when it has.
fn terminate(child: &mut Child) -> bool {
    if let Ok(Some(status)) = child.try_wait() {
        return status.success();
    }
    let pid = libc::pid_t::try_from(child.id()).unwrap_or_default();
    // SAFETY: the child has not been waited for, so the number is still its own.
    #[expect(unsafe_code, reason = "the standard library sends no other signal than SIGKILL")]
    unsafe {
        libc::kill(pid, libc::SIGTERM);
    }
    child.wait().is_ok_and(|status| status.success())
}

fn spawn(folder: &Path, launch: &Launch) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("up.log"))
        .unwrap_or_else(|error| panic!("{error}"));
    let key_log = launch.key_log.iter().map(|path| ("SSLKEYLOGFILE", path));
    let mut child = Command::new(&launch.binary)
        .envs(key_log)
        .args(["up", "--data-dir"])
        .arg(folder)
        .args(&launch.arguments)
        .arg("--boards")
        .arg(path("WASMBED_BOARDS"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("wasmbed up: {error}"));
    let output = child.stdout.take();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in output.map(BufReader::new).into_iter().flat_map(BufRead::lines).flatten() {
            let _ = sender.send(line);
        }
    });
    let deadline = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left) {
            Ok(line) if line.starts_with("ready") => return child,
            Ok(_) => {}
            Err(_) => {
                let _ = child.kill();
                let log = std::fs::read_to_string(folder.join("up.log")).unwrap_or_default();
                panic!("wasmbed up did not become ready:\n{log}");
            }
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
