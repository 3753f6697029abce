//! A real control plane for as long as some tests run.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{paths, process};

/// A control plane that ends with the value.
pub struct ControlPlane {
    child: Child,
    kubeconfig: PathBuf,
}

impl ControlPlane {
    /// Starts one with the programs in a folder.
    pub fn start(programs: &Path) -> Result<Self> {
        let mut build = Command::new("cargo");
        build.current_dir(paths::root());
        build.args(["build", "--quiet", "--package", "wasmbed-tests", "--bin", "control-plane"]);
        process::show(&mut build)?;
        let mut child = Command::new(paths::target().join("debug/control-plane"))
            .arg(programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the control plane")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.trim().is_empty() {
            bail!("the control plane did not become ready");
        }
        Ok(Self { child, kubeconfig: PathBuf::from(line.trim()) })
    }

    /// Kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The end of its input ends it, and with it the programs it started.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
