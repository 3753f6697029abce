//! Counting instructions of a real firmware: QEMU runs with `benches/instructions`, which counts
//! from one function to another.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::boards::Board;
use crate::{paths, process, stack};

/// The function that builds ClientHello, and the one that begins the session behind Finished.
const FROM: &str = "Client>::send_hello";
const TO: &str = "session::hello_frame";

/// A QEMU that counts.
pub struct Counted {
    /// Folder with a program that is found before QEMU and starts it.
    pub programs: PathBuf,
    file: PathBuf,
}

/// Builds the plugin, and writes a program of QEMU's name that loads it.
pub fn prepare(board: &Board, folder: &Path) -> Result<Counted> {
    let target = paths::target().join("benches");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root().join("benches/instructions"));
    cargo.args(["build", "--quiet", "--release", "--target-dir"]).arg(&target);
    process::capture(&mut cargo).context("benches/instructions")?;
    let plugin = target.join("release/libinstructions.so");
    let elf = paths::boards().join(&board.name).join("firmware.elf");
    let (from, to) = (stack::function(&elf, FROM)?, stack::function(&elf, TO)?);
    let qemu = wasmbed_catalog::board(&board.name).map_err(|e| anyhow::anyhow!("{e}"))?.qemu;
    let program = process::capture(Command::new("which").arg(qemu.program))?;
    let (programs, file) = (folder.join("programs"), folder.join("handshake.txt"));
    std::fs::create_dir_all(&programs)?;
    let script = programs.join(qemu.program);
    let text = format!(
        "#!/bin/sh\nexec '{}' -plugin '{},from={from:x},to={to:x},out={}' \"$@\"\n",
        program.trim(),
        plugin.display(),
        file.display()
    );
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700))?;
    Ok(Counted { programs, file })
}

impl Counted {
    /// The count of the first handshake.
    pub fn first(&self) -> Result<f64> {
        let text = std::fs::read_to_string(&self.file).context("nothing was counted")?;
        let line = text.lines().next().context("nothing was counted")?;
        line.parse().with_context(|| format!("a count: {line}"))
    }
}
