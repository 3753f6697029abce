//! The console of a board: a rotated log file, the last lines, and whoever follows them.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::limits::{CONSOLE_LINE_BYTES_MAX, CONSOLE_LINES_MAX, CONSOLE_LOG_BYTES_MAX};

#[cfg(test)]
mod tests;

/// A console that is written to; clones are the same console.
#[derive(Clone, Debug)]
pub struct Console {
    /// None where nothing is kept.
    path: Option<Arc<Path>>,
    lines: broadcast::Sender<Arc<str>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    file_bytes: u64,
    line: Vec<u8>,
    recent: VecDeque<Arc<str>>,
    /// Lines finished so far.
    line_count: u64,
}

impl Console {
    /// Opens the log at `path` and goes on behind what is there.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let file_bytes = file.metadata()?.len();
        Ok(Self::new(Some(path.into()), Some(file), file_bytes))
    }

    /// A console that keeps no log, for whoever follows it.
    #[must_use]
    pub fn unkept() -> Self {
        Self::new(None, None, 0)
    }

    fn new(path: Option<Arc<Path>>, file: Option<File>, file_bytes: u64) -> Self {
        let state =
            State { file, file_bytes, line: Vec::new(), recent: VecDeque::new(), line_count: 0 };
        Self {
            path,
            lines: broadcast::Sender::new(CONSOLE_LINES_MAX),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Where the log is, if there is one. The one before it has `.1` behind its name.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The lines from now on. A reader that is too slow is told how many it has missed.
    pub fn follow(&self) -> broadcast::Receiver<Arc<str>> {
        self.lines.subscribe()
    }

    /// The last lines, oldest first.
    pub fn recent(&self) -> Vec<Arc<str>> {
        self.state().recent.iter().cloned().collect()
    }

    /// Lines written so far: a mark for [`Self::since`].
    pub(crate) fn line_count(&self) -> u64 {
        self.state().line_count
    }

    /// The lines after that mark, as far as they are kept.
    pub(crate) fn since(&self, mark: u64) -> Vec<Arc<str>> {
        let state = self.state();
        let wanted = usize::try_from(state.line_count.saturating_sub(mark)).unwrap_or(usize::MAX);
        let skipped = state.recent.len().saturating_sub(wanted);
        state.recent.iter().skip(skipped).cloned().collect()
    }

    /// The lines so far and those from now on, without a gap.
    pub fn recent_and_follow(&self) -> (Vec<Arc<str>>, broadcast::Receiver<Arc<str>>) {
        let state = self.state();
        (state.recent.iter().cloned().collect(), self.lines.subscribe())
    }

    /// Adds what the board has written.
    pub fn write(&self, bytes: &[u8]) {
        let mut state = self.state();
        if let Err(error) = self.log(&mut state, bytes) {
            // The board runs on without its log; a full disk must not stop it.
            tracing::warn!(%error, path = ?self.path, "console log");
        }
        for byte in bytes {
            match byte {
                b'\n' => self.finish_line(&mut state),
                _ if state.line.len() < CONSOLE_LINE_BYTES_MAX => state.line.push(*byte),
                _ => {}
            }
        }
    }

    /// Ends a line that the board never ended, as when it was killed.
    pub fn end_line(&self) {
        if !self.state().line.is_empty() {
            self.write(b"\n");
        }
    }

    fn finish_line(&self, state: &mut State) {
        let text = String::from_utf8_lossy(&state.line);
        let is_shown = |letter: &char| !letter.is_control() || *letter == '\t';
        let line: Arc<str> = text.chars().filter(is_shown).collect::<String>().into();
        state.line.clear();
        if state.recent.len() == CONSOLE_LINES_MAX {
            state.recent.pop_front();
        }
        state.recent.push_back(Arc::clone(&line));
        state.line_count += 1;
        // Fails when nobody follows.
        let _ = self.lines.send(line);
    }

    fn log(&self, state: &mut State, bytes: &[u8]) -> io::Result<()> {
        let (Some(path), Some(mut file)) = (&self.path, state.file.as_ref()) else {
            return Ok(());
        };
        if state.file_bytes + bytes.len() as u64 > CONSOLE_LOG_BYTES_MAX {
            fs::rename(path, rotated(path))?;
            file = state.file.insert(open(path)?);
            state.file_bytes = 0;
        }
        file.write_all(bytes)?;
        state.file_bytes += bytes.len() as u64;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while writing leaves a usable console.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the log before the one at `path` is.
pub(crate) fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
