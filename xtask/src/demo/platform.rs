//! A `wasmbed up` of the demo, and the CLI that talks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{paths, process};

/// Longest time that a step may take before the demo says that it failed.
const STEP_SECONDS_MAX: u64 = 60;

/// The command line of a platform that keeps everything in one folder.
pub struct Cli {
    folder: PathBuf,
}

/// A platform that is stopped with the value.
pub struct Platform {
    child: Child,
    cli: Cli,
}

impl std::ops::Deref for Platform {
    type Target = Cli;

    fn deref(&self) -> &Cli {
        &self.cli
    }
}

impl Cli {
    /// For the platform of a folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where the kubeconfig is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("up.log")).unwrap_or_default()
    }

    /// `wasmbed` on this platform.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(paths::wasmbed());
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `wasmbed` and returns what it printed.
    pub fn wasmbed(&self, arguments: &[&str]) -> Result<String> {
        process::capture(&mut self.command(arguments))
    }

    /// Applies an object.
    pub fn apply(&self, object: &Value) -> Result<()> {
        let mut child = self
            .command(&["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("start wasmbed apply")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(object.to_string().as_bytes())?;
        }
        if !child.wait()?.success() {
            bail!("wasmbed apply failed");
        }
        Ok(())
    }

    /// One object.
    pub fn get(&self, what: &str) -> Result<Value> {
        let text = self.wasmbed(&["get", what, "-o", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("wasmbed get {what}"))
    }

    /// Waits for a state; when it does not come, says how the object stands.
    pub fn wait_for(&self, what: &str, state: &str) -> Result<()> {
        let state = format!("--for={state}");
        let timeout = format!("--timeout={STEP_SECONDS_MAX}s");
        let Err(error) = self.wasmbed(&["wait", what, &state, &timeout]) else { return Ok(()) };
        let found = self.wasmbed(&["describe", what]).unwrap_or_default();
        bail!("{error:#}\n{found}")
    }

    /// The first lines of a device's log.
    pub fn first_log_lines(&self, device: &str, count: usize) -> Result<Vec<String>> {
        let mut child = self
            .command(&["logs", "-f", device])
            .stdout(Stdio::piped())
            .spawn()
            .context("start wasmbed logs")?;
        let lines = lines_of(child.stdout.take().context("wasmbed logs has no output")?);
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        let mut found = Vec::new();
        while found.len() < count {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => found.push(line),
                Err(_) => break,
            }
        }
        let _ = child.kill();
        child.wait()?;
        if found.len() < count {
            bail!("only {} log lines came from the guest", found.len());
        }
        Ok(found)
    }
}

impl Platform {
    /// Starts a platform on a folder and returns when it is ready.
    pub fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let log = std::fs::File::create(folder.join("up.log"))?;
        let mut child = Command::new(paths::wasmbed())
            .args(["up", "--data-dir"])
            .arg(folder)
            .arg("--boards")
            .arg(paths::boards())
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("start wasmbed up")?;
        let output = child.stdout.take().context("wasmbed up has no output")?;
        let platform = Self { child, cli: Cli::new(folder) };
        let lines = lines_of(output);
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with("ready") => return Ok(platform),
                Ok(_) => {}
                Err(_) => bail!("wasmbed up did not become ready:\n{}", platform.log()),
            }
        }
    }

    /// Process of `wasmbed up`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The platform's process and everything it started.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = found.get(next).copied() {
            next += 1;
            for task in
                std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten()
            {
                let children = std::fs::read_to_string(task.path().join("children"));
                let children = children.unwrap_or_default();
                found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
        }
        found
    }

    /// Asks the platform to stop, and fails if it does not end well.
    pub fn stop(mut self) -> Result<()> {
        terminate(&self.child);
        let status = self.child.wait()?;
        if !status.success() {
            bail!("wasmbed up ended with {status}:\n{}", self.log());
        }
        Ok(())
    }

    /// Waits until someone stops the platform; Ctrl-C reaches it too.
    pub fn wait(mut self) -> Result<()> {
        // SAFETY: no handler is installed; the signal is only left to the platform, which stops.
        #[expect(unsafe_code, reason = "the standard library sets no dispositions")]
        unsafe {
            libc::signal(libc::SIGINT, libc::SIG_IGN);
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("wasmbed up ended with {status}:\n{}", self.log());
        }
        Ok(())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            terminate(&self.child);
            let _ = self.child.wait();
        }
    }
}

/// Asks a process to end, as Ctrl-C would.
pub fn terminate(child: &Child) {
    let pid = libc::pid_t::try_from(child.id()).unwrap_or_default();
    // SAFETY: the child has not been waited for, so the number is still its own.
    #[expect(unsafe_code, reason = "the standard library sends no other signal than SIGKILL")]
    unsafe {
        libc::kill(pid, libc::SIGTERM);
    }
}

/// Whether a process exists and is not a zombie that someone else has to collect.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

/// The lines that a process writes.
pub fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The first line of a growing file that contains `word`.
pub fn line_of(path: &Path, word: &str, limit: Duration) -> Result<String> {
    let deadline = Instant::now() + limit;
    let mut tail = Command::new("tail")
        .args(["-n", "+1", "-F"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("start tail")?;
    let lines = lines_of(tail.stdout.take().context("tail has no output")?);
    let found = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(word) => break Some(line),
            Ok(_) => {}
            Err(_) => break None,
        }
    };
    let _ = tail.kill();
    tail.wait()?;
    found.with_context(|| format!("no line with {word:?} in {}", path.display()))
}
