//! One emulated board: QEMU and all that is wired to it, kept running.

mod run;
mod supervise;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;
use wasmbed_catalog::{Board as BoardFacts, SerialRole};

use crate::cable::{Cable, CableConfig};
use crate::command::{CABLE_SOCKET, FLASH_SOCKET, QMP_SOCKET, UPLINK_SOCKET};
use crate::console::Console;
use crate::flash::{FlashError, FlashFile, FlashServer};
use crate::impairment::{Harm, Impairment};
use crate::leftover::Claim;
use crate::process::Exit;
use crate::uplink::{LineEnd, Uplink, UplinkConfig};
use crate::{leftover, socket};

use self::supervise::{Order, Supervisor};

/// Name of the flash file in the directory of a board.
pub const FLASH_FILE: &str = "flash.bin";
/// Name of the console log in the directory of a board.
pub const CONSOLE_FILE: &str = "console.log";

/// What to emulate, and where.
#[derive(Clone, Debug)]
pub struct BoardConfig {
    /// The kind of board.
    pub board: BoardFacts,
    /// Name of this one, as QEMU and the log show it.
    pub name: String,
    /// All files of this board; made if missing, held by one manager at a time.
    pub directory: PathBuf,
    /// ELF of the firmware. Without one the processor stays stopped: for tests of the wiring.
    pub firmware: Option<PathBuf>,
    /// `host:port` of the gateway.
    pub gateway: String,
    /// Whether the cable is plugged in at first.
    pub is_plugged: bool,
    /// How bad the cable or serial line is at first.
    pub impairment: Impairment,
    /// Where to write what passes the cable or serial line as pcap, if anywhere.
    pub capture: Option<PathBuf>,
    /// Whether QEMU is started again when it ends by itself.
    pub restarts: bool,
    /// Addresses of the temperature sensors (TMP105) on the two-wire bus.
    pub sensors: Vec<u8>,
    /// Further arguments for QEMU, as `-icount`.
    pub extra_arguments: Vec<String>,
}

impl BoardConfig {
    /// A plugged-in board that is restarted, in `directory`, with the gateway at `gateway`.
    pub fn new(board: BoardFacts, name: &str, directory: &Path, gateway: &str) -> Self {
        Self {
            board,
            name: name.into(),
            directory: directory.into(),
            firmware: None,
            gateway: gateway.into(),
            is_plugged: true,
            impairment: Impairment::default(),
            capture: None,
            restarts: true,
            sensors: Vec::new(),
            extra_arguments: Vec::new(),
        }
    }

    /// Path of the flash file.
    pub fn flash_path(&self) -> PathBuf {
        self.directory.join(FLASH_FILE)
    }
}

/// Why a board could not be laid out, or does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// Another manager has this directory.
    #[error("{} is in use by another process", directory.display())]
    InUse {
        /// The directory of the board.
        directory: PathBuf,
    },
    /// The flash file is not usable.
    #[error("flash")]
    Flash(#[from] FlashError),
    /// A file, a socket or a thread could not be had.
    #[error("{what}")]
    Environment {
        /// What was being made.
        what: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// QEMU does not run right now, so it can be told nothing.
    #[error("the board is not running")]
    NotRunning,
    /// QEMU refused.
    #[error("qemu")]
    Qmp(#[from] crate::qmp::QmpError),
}

/// What a board is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// QEMU is being started and wired.
    Starting,
    /// The processor runs.
    Running,
    /// QEMU ended by itself and is started again later.
    Waiting,
    /// It was told to stop, or is not to be restarted.
    Stopped,
}

/// Why QEMU ended without being told to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Crash {
    /// How the process ended; nothing if it could not even be started.
    pub exit: Option<Exit>,
    /// The last words of the firmware about a panic or fault, or of QEMU.
    pub message: Option<String>,
    /// When.
    pub time: SystemTime,
}

impl std::fmt::Display for Crash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.exit {
            Some(exit) => write!(formatter, "qemu ended with {exit}")?,
            None => formatter.write_str("qemu did not start")?,
        }
        match &self.message {
            Some(message) => write!(formatter, ": {message}"),
            None => Ok(()),
        }
    }
}

/// How a board fares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BoardStatus {
    /// What it is doing.
    pub phase: Phase,
    /// Process of QEMU, while there is one.
    pub pid: Option<u32>,
    /// Times that QEMU was started again because it had ended.
    pub restarts: u32,
    /// Times that the processor was reset, by its firmware or by us.
    pub resets: u32,
    /// Why QEMU ended last.
    pub crash: Option<Crash>,
    /// Wait until the next start, in [`Phase::Waiting`].
    pub restart_delay: Option<Duration>,
}

/// A board that is kept running; dropped, it is killed.
#[derive(Debug)]
pub struct Board {
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<BoardStatus>,
    console: Console,
    flash: Option<Arc<FlashServer>>,
    cable: Option<Arc<Cable>>,
    uplink: Option<Arc<Uplink>>,
    temperatures: watch::Sender<Vec<i32>>,
    directory: PathBuf,
    task: AbortOnDropHandle<()>,
    _lock: Claim,
}

impl Board {
    /// Wires a board and starts QEMU. A flash that does not exist yet is made, erased.
    ///
    /// # Errors
    /// [`BoardError`] where the wiring cannot be had. QEMU that does not start is in the status.
    pub async fn start(config: BoardConfig) -> Result<Self, BoardError> {
        let lock = claim(&config.directory)?;
        let console = Console::open(&config.directory.join(CONSOLE_FILE))
            .map_err(environment("open the console log"))?;
        let flash = start_flash(&config)?.map(Arc::new);
        let cable = start_cable(&config)?.map(Arc::new);
        let uplink = start_uplink(&config, &console)?.map(Arc::new);
        let qmp = socket::bind(&config.directory.join(QMP_SOCKET))
            .map_err(environment("bind the qmp socket"))?;
        let directory = config.directory.clone();
        let (orders, ordered) = mpsc::channel(8);
        let (temperatures, wanted) = watch::channel(Vec::new());
        let (supervisor, status) = Supervisor::new(
            config,
            qmp,
            console.clone(),
            flash.clone(),
            uplink.clone(),
            ordered,
            wanted,
        )
        .map_err(environment("listen for qmp"))?;
        let task = AbortOnDropHandle::new(tokio::spawn(supervisor.run()));
        Ok(Self {
            orders,
            status,
            console,
            flash,
            cable,
            uplink,
            temperatures,
            directory,
            task,
            _lock: lock,
        })
    }

    /// How it fares, and each change.
    pub fn status(&self) -> watch::Receiver<BoardStatus> {
        self.status.clone()
    }

    /// Its console.
    pub const fn console(&self) -> &Console {
        &self.console
    }

    /// Its flash server, where the board has a flash.
    pub fn flash(&self) -> Option<&FlashServer> {
        self.flash.as_deref()
    }

    /// Its cable, where the board has Ethernet.
    pub fn cable(&self) -> Option<&Cable> {
        self.cable.as_deref()
    }

    /// Its serial line, where the board has no Ethernet.
    pub fn uplink(&self) -> Option<&Uplink> {
        self.uplink.as_deref()
    }

    /// Plugs its cable or its serial line in or out.
    pub fn set_plugged(&self, is_plugged: bool) {
        if let Some(cable) = &self.cable {
            cable.set_plugged(is_plugged);
        }
        if let Some(uplink) = &self.uplink {
            uplink.set_plugged(is_plugged);
        }
    }

    /// Makes its cable or its serial line better or worse.
    pub fn set_impairment(&self, impairment: Impairment) {
        if let Some(cable) = &self.cable {
            cable.set_impairment(impairment);
        }
        if let Some(uplink) = &self.uplink {
            uplink.set_impairment(impairment);
        }
    }

    /// What has passed its cable, in frames, or its serial line, in bytes: up, down, and what became
    /// of the rest.
    pub fn passed(&self) -> (u64, u64, Harm) {
        let cable = self.cable.as_ref().map(|cable| {
            let passed = cable.counters();
            let (lost, doubled) = (passed.frames_lost, passed.frames_doubled);
            let harm = Harm { lost, doubled, garbled: passed.frames_garbled };
            (passed.frames_up, passed.frames_down, harm)
        });
        let uplink = self.uplink.as_ref().map(|uplink| {
            let passed = uplink.counters();
            let (lost, doubled) = (passed.bytes_lost, passed.bytes_doubled);
            let harm = Harm { lost, doubled, garbled: passed.bytes_garbled };
            (passed.bytes_up, passed.bytes_down, harm)
        });
        cable.or(uplink).unwrap_or_default()
    }

    /// Makes its sensors measure these, in the order of the configuration, in thousandths of a
    /// degree Celsius.
    pub fn set_temperatures(&self, millidegrees: Vec<i32>) {
        self.temperatures.send_if_modified(|wanted| {
            let is_new = *wanted != millidegrees;
            *wanted = millidegrees;
            is_new
        });
    }

    /// Connects it to another gateway, a `host:port`, from now on. The board itself goes on.
    pub fn set_gateway(&self, gateway: &str) {
        if let Some(cable) = &self.cable {
            cable.set_gateway(gateway);
        }
        if let Some(uplink) = &self.uplink {
            uplink.set_gateway(gateway);
        }
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits for a console line, those written since the start included.
    ///
    /// # Errors
    /// The time-out.
    pub async fn wait_for_line(
        &self,
        timeout: Duration,
        mut is_wanted: impl FnMut(&str) -> bool,
    ) -> Result<Arc<str>, tokio::time::error::Elapsed> {
        let (recent, mut lines) = self.console.recent_and_follow();
        if let Some(line) = recent.into_iter().find(|line| is_wanted(line)) {
            return Ok(line);
        }
        tokio::time::timeout(timeout, async {
            loop {
                match lines.recv().await {
                    Ok(line) if is_wanted(&line) => return line,
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    // The console lives as long as we do.
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                        std::future::pending::<()>().await;
                    }
                }
            }
        })
        .await
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// [`BoardError::NotRunning`], [`BoardError::Qmp`].
    pub fn reset(&self) -> impl Future<Output = Result<(), BoardError>> + Send + use<> {
        order(self.orders.clone(), Order::Reset)
    }

    /// Kills QEMU with SIGKILL, as a crash of the host would.
    ///
    /// # Errors
    /// [`BoardError::NotRunning`].
    pub async fn kill(&self) -> Result<(), BoardError> {
        order(self.orders.clone(), Order::Kill).await
    }

    /// Stops QEMU, cleanly if it still listens, and waits until it and all that was wired to it is
    /// gone.
    pub async fn stop(self) {
        let Self { orders, task, flash, cable, uplink, .. } = self;
        // The supervisor stops when nobody can give it orders any more.
        drop(orders);
        let _ = task.await;
        drop(flash);
        if let Some(cable) = cable.and_then(Arc::into_inner) {
            cable.stop().await;
        }
        if let Some(uplink) = uplink.and_then(Arc::into_inner) {
            uplink.stop().await;
        }
    }
}

async fn order(
    orders: mpsc::Sender<Order>,
    order: impl FnOnce(oneshot::Sender<Result<(), BoardError>>) -> Order + Send,
) -> Result<(), BoardError> {
    let (done, answer) = oneshot::channel();
    orders.send(order(done)).await.map_err(|_| BoardError::NotRunning)?;
    answer.await.unwrap_or(Err(BoardError::NotRunning))
}

fn environment(what: &'static str) -> impl FnOnce(io::Error) -> BoardError {
    move |source| BoardError::Environment { what, source }
}

fn claim(directory: &Path) -> Result<Claim, BoardError> {
    let lock = leftover::claim(directory).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => BoardError::InUse { directory: directory.into() },
        _ => BoardError::Environment { what: "claim the directory", source: error },
    })?;
    leftover::reap(directory).map_err(environment("end a former qemu"))?;
    Ok(lock)
}

fn start_flash(config: &BoardConfig) -> Result<Option<FlashServer>, BoardError> {
    if !config.board.qemu.serials.contains(&SerialRole::Flash) {
        return Ok(None);
    }
    let path = config.flash_path();
    let flash_bytes = config.board.storage.bytes;
    let file = match FlashFile::open(&path, flash_bytes) {
        Err(FlashError::File(error)) if error.kind() == io::ErrorKind::NotFound => {
            FlashFile::create(&path, flash_bytes)
        }
        other => other,
    }?;
    let server = FlashServer::start(&config.directory.join(FLASH_SOCKET), file);
    server.map(Some).map_err(environment("start the flash server"))
}

fn start_cable(config: &BoardConfig) -> Result<Option<Cable>, BoardError> {
    if config.board.qemu.nic_model.is_none() {
        return Ok(None);
    }
    let cable = Cable::start(CableConfig {
        socket: config.directory.join(CABLE_SOCKET),
        gateway: config.gateway.clone(),
        is_plugged: config.is_plugged,
        impairment: config.impairment,
        capture: config.capture.clone(),
    });
    cable.map(Some).map_err(environment("lay the cable"))
}

fn start_uplink(config: &BoardConfig, console: &Console) -> Result<Option<Uplink>, BoardError> {
    if !config.board.qemu.serials.contains(&SerialRole::Uplink) {
        return Ok(None);
    }
    let line = UplinkConfig {
        end: LineEnd::Socket(config.directory.join(UPLINK_SOCKET)),
        gateway: config.gateway.clone(),
        is_plugged: config.is_plugged,
        impairment: config.impairment,
        capture: config.capture.clone(),
    };
    let uplink = Uplink::start(line, console.clone());
    uplink.map(Some).map_err(environment("lay the serial line"))
}
