//! A running `wasmbed up` in a folder of its own.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wasmbed_catalog::Board;

use crate::cli::Cli;
use crate::recording::Recording;

/// Longest time from the start of `wasmbed up` to its ready line, on a busy machine.
const READY_SECONDS_MAX: u64 = 60;

/// A platform that ends with the value.
pub struct Platform {
    child: Child,
    cli: Cli,
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

/// Whether this run has what the tests start; `cargo test` by itself has none of it, and is told.
pub fn prepared() -> bool {
    if !is_prepared() {
        println!("\nskipped: run by `cargo xtask test`");
    }
    is_prepared()
}

/// Boards of this run: the one it was asked for, or all.
///
/// # Panics
/// If there is no such board.
pub fn boards() -> Vec<&'static Board> {
    match std::env::var("WASMBED_TEST_BOARD") {
        Ok(name) if name != "all" => {
            vec![wasmbed_catalog::board(&name).unwrap_or_else(|error| panic!("{error}"))]
        }
        _ => wasmbed_catalog::BOARDS.iter().collect(),
    }
}

/// The first board of this run that has what a test needs; where none has, that is told.
pub fn board_with(what: &str, has: impl Fn(&Board) -> bool) -> Option<&'static Board> {
    let found = boards().into_iter().find(|board| has(board));
    if found.is_none() {
        println!("\nskipped: no board of this run has {what}");
    }
    found
}

/// The board of a test that is about the host: the first of this run.
///
/// # Panics
/// If there are no boards.
pub fn first_board() -> &'static Board {
    boards()[0]
}

/// An example guest.
///
/// # Panics
/// If it was not built.
pub fn guest(name: &str) -> Vec<u8> {
    let path = path("WASMBED_GUESTS").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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

    /// Starts a platform that captures what passes between its boards and the gateway, and whose
    /// environment asks for a key log, from the binary whose path this variable has; on a cluster
    /// where there is a kubeconfig.
    ///
    /// # Panics
    /// If it does not become ready; its log is part of the message.
    pub fn start_recorded(name: &str, binary: &str, cluster: Option<&Path>) -> Self {
        let folder = std::env::temp_dir().join(format!("wasmbed-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let mut arguments = vec!["--capture".to_owned()];
        if let Some(kubeconfig) = cluster {
            arguments.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
        }
        let kubeconfig = cluster.map_or_else(|| folder.join("kubeconfig"), Path::to_owned);
        let key_log = Some(folder.join("secrets.txt"));
        Self::start_in(folder, kubeconfig, Launch { binary: path(binary), arguments, key_log })
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
        Self { child, cli: Cli { folder, kubeconfig }, launch }
    }

    /// Kills the platform as the kernel would, and starts it again on the same folder.
    pub fn kill_and_restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(&self.folder, &self.launch);
    }

    /// Process of `wasmbed up`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the platform as Ctrl-C would, changes its folder, and starts it again.
    pub fn restart_after(&mut self, change: impl Fn(&Path)) {
        terminate(&mut self.child);
        change(&self.folder);
        self.child = spawn(&self.folder, &self.launch);
    }

    /// Ends the platform as Ctrl-C would, and says whether it ended well.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(mut self) -> bool {
        terminate(&mut self.child)
    }

    /// Where a recorded platform was asked to write its key log.
    pub fn key_log(&self) -> Option<&Path> {
        self.launch.key_log.as_deref()
    }

    /// Ends a recorded platform.
    ///
    /// # Panics
    /// If it does not end well, or there is no key log.
    #[track_caller]
    pub fn stop_and_take_recording(mut self) -> Recording {
        assert!(terminate(&mut self.child), "a platform ends well when it is asked to");
        Recording::of(self)
    }
}

impl Deref for Platform {
    type Target = Cli;

    fn deref(&self) -> &Cli {
        &self.cli
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        terminate(&mut self.child);
    }
}

/// Asks a process to end; `wait` returns when it has.
pub(crate) fn terminate(child: &mut Child) -> bool {
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
