//! `wasmbed console`: what a VirtualDevice wrote on its console, from the log beside its emulator.
//!
//! The log is a file on the machine of the QEMU manager, so this command works there only, and says so.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::fs::inotify;

use crate::arguments::{ConsoleLog, Scope};
use crate::client::connect;
use crate::get::fetch;
use crate::output::outln;
use crate::virtual_device::parse;

#[cfg(test)]
mod tests;

/// Bytes for the events of a folder that are read at a time.
const EVENT_BYTES: usize = 4096;

/// Prints the console log, and follows it if asked to.
pub async fn run(scope: &Scope, console: &ConsoleLog) -> Result<ExitCode> {
    let (kind, name) = parse(&console.target)?;
    let connection = connect(scope).await?;
    let path = kind.path(Some(&connection.namespace), Some(&name));
    let object = fetch(&connection.client, &path, "application/json").await?;
    let Some(path) = object["status"]["consoleLog"].as_str().map(PathBuf::from) else {
        bail!("{} has not run yet: it has no console log", kind.object_name(&name));
    };
    if !path.is_file() {
        bail!(
            "the console log is {} on the machine that runs the QEMU manager, and not on this one",
            path.display()
        );
    }
    let (follow, tail) = (console.follow, console.tail);
    tokio::task::spawn_blocking(move || print(&path, follow, tail)).await??;
    Ok(ExitCode::SUCCESS)
}

fn print(path: &Path, follow: bool, tail: Option<usize>) -> Result<()> {
    // Watched before it is read, so that nothing falls in between.
    let changes = follow.then(|| Changes::of(path)).transpose()?;
    let mut log = Log::open(path)?;
    let mut lines = rotated(path)?;
    log.read(|line| lines.push(line))?;
    let skipped = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    lines.iter().skip(skipped).try_for_each(|line| say(line))?;
    let Some(mut changes) = changes else { return Ok(()) };
    loop {
        changes.wait().with_context(|| format!("follow {}", path.display()))?;
        log.follow(path)?.iter().try_for_each(|line| say(line))?;
    }
}

fn say(line: &str) -> Result<()> {
    outln!("{line}");
    Ok(io::stdout().flush()?)
}

/// The log before this one, which ends with whole lines or with what this one goes on with.
fn rotated(path: &Path) -> Result<Vec<String>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    let mut lines = Vec::new();
    if Path::new(&name).is_file() {
        Log::open(Path::new(&name))?.read(|line| lines.push(line))?;
    }
    Ok(lines)
}

/// An open log, read to some place in it.
struct Log {
    file: BufReader<File>,
    /// A line that has not ended yet.
    begun: Vec<u8>,
}

impl Log {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        Ok(Self { file: BufReader::new(file), begun: Vec::new() })
    }

    /// Hands every line that has ended since to `sink`.
    fn read(&mut self, mut sink: impl FnMut(String)) -> Result<()> {
        while self.file.read_until(b'\n', &mut self.begun)? > 0 {
            if self.begun.ends_with(b"\n") {
                sink(shown(&self.begun));
                self.begun.clear();
            }
        }
        Ok(())
    }

    /// What has come since; goes over to the next file once there is one.
    fn follow(&mut self, path: &Path) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        self.read(|line| lines.push(line))?;
        let next = match File::open(path) {
            Ok(next) => next,
            // In the middle of being rotated; the next event comes with the new file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(lines);
            }
            Err(error) => return Err(error).with_context(|| format!("open {}", path.display())),
        };
        if next.metadata()?.ino() != self.file.get_ref().metadata()?.ino() {
            self.read(|line| lines.push(line))?;
            self.file = BufReader::new(next);
            self.read(|line| lines.push(line))?;
        }
        Ok(lines)
    }
}

/// A line without what would steer a terminal: boards write what they like.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().filter(|letter| !letter.is_control() || *letter == '\t').collect()
}

/// Changes in the folder of a log.
struct Changes {
    events: OwnedFd,
}

impl Changes {
    fn of(path: &Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let events = inotify::init(inotify::CreateFlags::CLOEXEC)?;
        let wanted = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::DELETE_SELF
            | inotify::WatchFlags::ONLYDIR;
        inotify::add_watch(&events, folder, wanted)
            .with_context(|| format!("watch {}", folder.display()))?;
        Ok(Self { events })
    }

    /// Waits for the next change.
    fn wait(&mut self) -> Result<()> {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            let event = reader.next()?;
            if event.events().contains(inotify::ReadFlags::IGNORED) {
                bail!("the virtual device was deleted");
            }
            if reader.is_buffer_empty() {
                return Ok(());
            }
        }
    }
}
