//! A platform whose roles are processes of their own, each to be killed and started again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::cli::Cli;
use crate::platform::{path, terminate};

/// Longest time until a role is ready, on a busy machine.
const READY_SECONDS_MAX: u64 = 60;

/// One service of the platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The API server.
    Apiserver,
    /// Where devices connect.
    Gateway,
    /// Prepares and signs.
    Controllers,
    /// Boots boards.
    Qemu,
}

impl Role {
    const ALL: [Self; 4] = [Self::Qemu, Self::Gateway, Self::Controllers, Self::Apiserver];

    const fn name(self) -> &'static str {
        match self {
            Self::Apiserver => "apiserver",
            Self::Gateway => "gateway",
            Self::Controllers => "controllers",
            Self::Qemu => "qemu",
        }
    }
}

/// A process of one role.
struct Process {
    role: Role,
    child: Child,
    /// Ends with the process.
    lines: mpsc::Receiver<String>,
}

/// Four processes that end with the value.
pub struct Roles {
    processes: Vec<Process>,
    cli: Cli,
}

impl Roles {
    /// Starts the roles, the API server last: all others have to wait for it.
    ///
    /// # Panics
    /// If one does not become ready; the logs are part of the message.
    pub fn start(name: &str) -> Self {
        let cli = Cli::in_new_folder(name);
        let processes = Role::ALL.iter().map(|role| spawn(*role, cli.folder())).collect();
        let roles = Self { processes, cli };
        for process in &roles.processes {
            roles.until_ready(process);
        }
        roles
    }

    /// The command line of this platform.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// Kills a role as the kernel would, and does not start it again yet.
    pub fn kill(&mut self, role: Role) {
        for process in self.processes.iter_mut().filter(|process| process.role == role) {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        self.processes.retain(|process| process.role != role);
    }

    /// Starts a role that was killed, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn restart(&mut self, role: Role) {
        self.processes.push(spawn(role, self.cli.folder()));
        if let Some(process) = self.processes.last() {
            self.until_ready(process);
        }
    }

    /// Asks all roles to end, boards first, and names those that did not end well.
    pub fn stop(mut self) -> Vec<&'static str> {
        let mut failed = Vec::new();
        for role in Role::ALL {
            for process in self.processes.iter_mut().filter(|process| process.role == role) {
                if !terminate(&mut process.child) {
                    failed.push(role.name());
                }
            }
        }
        failed
    }

    fn until_ready(&self, process: &Process) {
        let patience = Duration::from_secs(READY_SECONDS_MAX);
        loop {
            match process.lines.recv_timeout(patience) {
                Ok(line) if line.starts_with("ready") => return,
                Ok(_) => {}
                Err(_) => {
                    panic!("{} did not become ready{}", process.role.name(), self.cli.state());
                }
            }
        }
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for role in Role::ALL {
            for process in self.processes.iter_mut().filter(|process| process.role == role) {
                terminate(&mut process.child);
            }
        }
    }
}

fn spawn(role: Role, folder: &Path) -> Process {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(format!("{}.log", role.name())))
        .unwrap_or_else(|error| panic!("{error}"));
    let mut child = Command::new(path("WASMBED_BIN"))
        .args(["serve", role.name(), "--data-dir"])
        .arg(folder)
        .arg("--boards")
        .arg(path("WASMBED_BOARDS"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("wasmbed serve {}: {error}", role.name()));
    let output = child.stdout.take();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in output.map(BufReader::new).into_iter().flat_map(BufRead::lines).flatten() {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Process { role, child, lines }
}
