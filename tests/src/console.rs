//! What a board writes on its console, whoever is connected.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::cli::Cli;

/// Longest wait for a line, on a machine that does other things besides.
const LINE_SECONDS_MAX: u64 = 150;

/// The lines of one board's console, from its first boot on.
pub struct Console {
    child: Child,
    lines: Receiver<String>,
}

impl Console {
    /// Begins to read the console of a VirtualDevice.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn follow(cli: &Cli, virtual_device: &str) -> Self {
        let status = cli.get(virtual_device)["status"].clone();
        let path = status["consoleLog"].as_str().unwrap_or_default();
        assert!(Path::new(path).is_file(), "no console log: {status}");
        let mut child = Command::new("tail")
            .args(["-n", "+1", "-F", path])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("tail: {error}"));
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                        break;
                    }
                }
            });
        }
        Self { child, lines }
    }

    /// Reads on until `wanted` makes something of a line, and returns that.
    ///
    /// # Panics
    /// If there is no such line in time.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(LINE_SECONDS_MAX);
        let mut last = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => match wanted(&line) {
                    Some(found) => return found,
                    None => last.push(line),
                },
                Err(_) => {
                    let from = last.len().saturating_sub(30);
                    panic!("no {what} on the console: {:#?}", &last[from..]);
                }
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
