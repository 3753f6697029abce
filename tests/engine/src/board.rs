//! Does work on an emulated board.

use crate::report::{Records, Report, Trouble, decode};
use crate::work::{Work, batch};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use wasmbed_engine_batch::layout::{ARENA, FILE_BYTES, RECORDS};

/// A board that can run batches: one without a floating-point unit, and one with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Board {
    /// Cortex-M3.
    Mps2An385,
    /// Cortex-M4 with single precision.
    Mps2An386,
}

/// After so long without any progress a board is taken for hung.
const PATIENCE: Duration = Duration::from_secs(60);

impl Board {
    /// Both.
    pub const ALL: [Board; 2] = [Board::Mps2An385, Board::Mps2An386];

    /// Its name, which is the emulator's too.
    pub fn name(self) -> &'static str {
        match self {
            Board::Mps2An385 => "mps2-an385",
            Board::Mps2An386 => "mps2-an386",
        }
    }

    /// The Rust target of its programs.
    pub fn target(self) -> &'static str {
        match self {
            Board::Mps2An385 => "thumbv7m-none-eabi",
            Board::Mps2An386 => "thumbv7em-none-eabihf",
        }
    }

    /// The runner for it: in `WASMBED_ENGINE_RUNNER`, a target folder, or where `cargo xtask`
    /// builds it.
    pub fn runner(self) -> PathBuf {
        let folder = std::env::var_os("WASMBED_ENGINE_RUNNER").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/runner"),
            PathBuf::from,
        );
        folder.join(self.target()).join("release/engine-runner")
    }
}

/// What a board did besides the work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Starts of the emulator.
    pub starts: u32,
    /// Time slices taken.
    pub slices: u64,
    /// Of these, inside the innermost loop.
    pub slices_in_core: u64,
    /// Of the slices, those that ended inside another interrupt's handler.
    pub slices_in_handler: u64,
    /// Interrupts besides the slices.
    pub nested: u64,
    /// Most bytes of stack in use at once.
    pub stack_bytes: u32,
}

/// Does all the work, in as few starts as it takes; reports are in the order of the work.
///
/// # Errors
/// Only what keeps a board from starting. What goes wrong on it is in the reports.
pub fn run(board: Board, works: &[Work]) -> Result<(Vec<Report>, Figures)> {
    let mut reports = Vec::with_capacity(works.len());
    let mut figures = Figures::default();
    while reports.len() < works.len() {
        let rest = &works[reports.len()..];
        let (bytes, taken) = batch(rest);
        if taken == 0 {
            let missing = Report { trouble: Some(Trouble::Missing), ..Report::default() };
            reports.push(missing);
            continue;
        }
        let (records, has_hung) = start(board, &bytes)?;
        figures.starts += 1;
        if let Some([slices, in_core, in_handler, nested, stack_bytes]) = records.done {
            figures.slices += u64::from(slices);
            figures.slices_in_core += u64::from(in_core);
            figures.slices_in_handler += u64::from(in_handler);
            figures.nested += u64::from(nested);
            figures.stack_bytes = figures.stack_bytes.max(stack_bytes);
        }
        let is_done = records.done.is_some();
        let mut done = records.reports;
        if done.is_empty() {
            bail!("{}: the runner recorded nothing", board.name());
        }
        if let (false, Some((_, last))) = (is_done, done.last_mut()) {
            let trouble = if has_hung { Trouble::Hung } else { Trouble::Missing };
            last.trouble.get_or_insert(trouble);
        }
        if is_done && done.len() != taken {
            bail!("{}: {} of {taken} pieces of work were done", board.name(), done.len());
        }
        reports.extend(done.into_iter().map(|(_, report)| report));
    }
    Ok((reports, figures))
}

/// One start of the emulator: what was recorded, and whether it had to be ended.
fn start(board: Board, batch: &[u8]) -> Result<(Records, bool)> {
    let runner = board.runner();
    if !runner.is_file() {
        bail!("{} is missing: `cargo xtask test` builds it", runner.display());
    }
    let mut file = tempfile::NamedTempFile::new().context("a file for the board's memory")?;
    file.write_all(batch)?;
    file.as_file().set_len(FILE_BYTES as u64)?;
    let memory = format!(
        "memory-backend-file,id=psram,mem-path={},size=16M,share=on",
        file.path().display()
    );
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", &format!("{},memory-backend=psram", board.name()), "-object", &memory]);
    qemu.args(["-display", "none", "-monitor", "none", "-serial", "none"]);
    qemu.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=6,sleep=off"]);
    qemu.arg("-kernel").arg(&runner).stdin(Stdio::null());
    let child = qemu.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = child.context("start qemu-system-arm")?;
    let has_hung = wait(&mut child, file.as_file_mut())?;
    let mut before = vec![0; batch.len()];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut before)?;
    if before != batch {
        bail!("{}: the batch was overwritten", board.name());
    }
    Ok((decode(&recorded(file.as_file_mut())?), has_hung))
}

/// Waits until the emulator ends, or ends it when it makes no progress.
fn wait(child: &mut Child, file: &mut File) -> Result<bool> {
    let (ended, end) = channel();
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = output.map(|mut output| output.read_to_end(&mut text));
        let _ = ended.send(());
    });
    let mut progress = 0;
    let has_hung = loop {
        match end.recv_timeout(PATIENCE) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = count(file)?;
        if now == progress {
            child.kill()?;
            break true;
        }
        progress = now;
    };
    child.wait()?;
    let _ = reader.join();
    Ok(has_hung)
}

fn count(file: &mut File) -> Result<u32> {
    let mut word = [0; 4];
    file.seek(SeekFrom::Start(RECORDS as u64))?;
    file.read_exact(&mut word)?;
    Ok(u32::from_le_bytes(word))
}

fn recorded(file: &mut File) -> Result<Vec<u32>> {
    let words = (count(file)? as usize).min((ARENA - RECORDS) / 4 - 1);
    let mut bytes = vec![0; words * 4];
    file.read_exact(&mut bytes)?;
    let words = bytes.chunks_exact(4);
    Ok(words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}
