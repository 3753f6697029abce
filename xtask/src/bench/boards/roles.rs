//! A platform whose roles are processes of their own.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::demo::platform::{Cli, lines_of, terminate};
use crate::paths;

/// Longest time until a role is ready.
const READY_SECONDS_MAX: u64 = 60;

/// One service of the platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    Qemu,
    Gateway,
    Controllers,
    Apiserver,
}

impl Role {
    /// In the order in which they are stopped: boards first.
    const ALL: [Self; 4] = [Self::Qemu, Self::Gateway, Self::Controllers, Self::Apiserver];

    const fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Gateway => "gateway",
            Self::Controllers => "controllers",
            Self::Apiserver => "apiserver",
        }
    }
}

/// Four processes that end with the value.
pub struct Roles {
    processes: Vec<(Role, Child)>,
    folder: PathBuf,
    cli: Cli,
}

impl Roles {
    /// Starts the roles on a folder. Programs in `programs` go before those of the system.
    pub fn start(folder: &Path, programs: Option<&Path>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(programs) = programs {
            let folders = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
            path = std::env::join_paths(folders.collect::<Vec<_>>())?;
        }
        let mut roles =
            Self { processes: Vec::new(), folder: folder.to_owned(), cli: Cli::new(folder) };
        let mut outputs = Vec::new();
        for role in Role::ALL {
            let log = std::fs::File::create(roles.log_file(role))?;
            let mut child = Command::new(paths::wasmbed())
                .args(["serve", role.name(), "--data-dir"])
                .arg(folder)
                .arg("--boards")
                .arg(paths::boards())
                .env_remove("KUBECONFIG")
                .env("PATH", &path)
                // The gateway says of each piece of an image when it went.
                .env("WASMBED_LOG", "info,kube=warn,hyper=warn,tower=warn,wasmbed_gateway=debug")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()
                .with_context(|| format!("start wasmbed serve {}", role.name()))?;
            outputs.push((role, lines_of(child.stdout.take().context("no output")?)));
            roles.processes.push((role, child));
        }
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
        for (role, lines) in outputs {
            loop {
                match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(line) if line.starts_with("ready") => break,
                    Ok(_) => {}
                    Err(_) => bail!("{} did not become ready:\n{}", role.name(), roles.log(role)?),
                }
            }
        }
        Ok(roles)
    }

    /// Folder of everything the platform keeps.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Process of a role.
    pub fn pid(&self, role: Role) -> Result<u32> {
        let found = self.processes.iter().find(|(known, _)| *known == role);
        Ok(found.context("the role does not run")?.1.id())
    }

    fn log_file(&self, role: Role) -> PathBuf {
        self.folder.join(format!("{}.log", role.name()))
    }

    /// What a role has logged.
    pub fn log(&self, role: Role) -> Result<String> {
        let path = self.log_file(role);
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// Asks all roles to stop, and fails if one does not end well.
    pub fn stop(mut self) -> Result<()> {
        for (role, child) in &mut self.processes {
            terminate(child);
            let status = child.wait()?;
            if !status.success() {
                bail!("wasmbed serve {} ended with {status}", role.name());
            }
        }
        Ok(())
    }
}

impl Deref for Roles {
    type Target = Cli;

    fn deref(&self) -> &Cli {
        &self.cli
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            if let Ok(None) = child.try_wait() {
                terminate(child);
                let _ = child.wait();
            }
        }
    }
}
