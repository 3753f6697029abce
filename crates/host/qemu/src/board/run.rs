//! One life of a QEMU process, from its start to its end.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::supervise::{Order, never};
use super::{BoardConfig, BoardStatus, Crash, Phase};
use crate::command::{self, ENTROPY_PIPE, GDB_SOCKET, GUEST_PORT, sensor_id};
use crate::console::Console;
use crate::entropy::Entropy;
use crate::flash::FlashServer;
use crate::leftover;
use crate::limits::{QEMU_MESSAGE_BYTES_MAX, QEMU_START_TIMEOUT, QEMU_STOP_TIMEOUT};
use crate::process::{Output, Process};
use crate::qmp::{Event, Qmp, QmpError};
use crate::uplink::Uplink;

/// Time between two looks at the wiring: no event tells, and one look is nearly always enough.
const WIRING_POLL: Duration = Duration::from_millis(1);

/// What stays wired while QEMU comes and goes.
pub(super) struct Wiring {
    pub(super) config: BoardConfig,
    pub(super) qmp: UnixListener,
    pub(super) console: Console,
    pub(super) flash: Option<Arc<FlashServer>>,
    pub(super) uplink: Option<Arc<Uplink>>,
    pub(super) status: watch::Sender<BoardStatus>,
    /// What each sensor measures, in thousandths of a degree Celsius.
    pub(super) temperatures: watch::Receiver<Vec<i32>>,
}

/// What had happened before this life.
struct Mark {
    lines: u64,
    flash_connections: u64,
    uplink_connections: u64,
}

/// Why QEMU is gone.
pub(super) enum Ending {
    /// It was told to.
    Stopped,
    /// It was not.
    Crashed(Crash),
}

/// QEMU's own messages, the last of them.
type Messages = Arc<Mutex<Vec<u8>>>;

/// Starts QEMU, obeys orders, and returns once it is gone.
pub(super) async fn run(wiring: &Wiring, orders: &mut mpsc::Receiver<Order>) -> Ending {
    let mark = Mark {
        lines: wiring.console.line_count(),
        flash_connections: wiring.flash.as_ref().map_or(0, |flash| flash.counters().connections),
        uplink_connections: wiring.uplink.as_ref().map_or(0, |uplink| uplink.connections()),
    };
    let messages = Messages::default();
    // A pipe of its own for each life: bytes that one QEMU has left are no secret of the next.
    let started = Entropy::create(&wiring.config.directory.join(ENTROPY_PIPE))
        .and_then(|entropy| Ok((entropy, spawn(wiring, &messages)?)));
    let (entropy, (mut process, readers)) = match started {
        Ok(started) => started,
        Err(error) => {
            let message = Some(error.to_string());
            return Ending::Crashed(Crash { exit: None, message, time: SystemTime::now() });
        }
    };
    wiring.status.send_modify(|status| status.pid = Some(process.pid()));
    let outcome = attend(wiring, &mark, entropy, &mut process, orders).await;
    process.kill();
    let exit = process.ended().await;
    // What QEMU wrote last is still in the pipes.
    for reader in readers {
        let _ = timeout(QEMU_STOP_TIMEOUT, reader).await;
    }
    match outcome {
        Ok(()) => Ending::Stopped,
        Err(trouble) => {
            let message = last_words(wiring, &mark, &messages).or(trouble);
            Ending::Crashed(Crash { exit: Some(exit), message, time: SystemTime::now() })
        }
    }
}

type Reader = AbortOnDropHandle<()>;

fn spawn(wiring: &Wiring, messages: &Messages) -> io::Result<(Process, Vec<Reader>)> {
    let config = &wiring.config;
    let firmware = config.firmware.as_deref().map(std::path::absolute).transpose()?;
    let mut command = Command::new(config.board.qemu.program);
    command
        .args(command::arguments(
            &config.board,
            &config.name,
            firmware.as_deref(),
            &config.sensors,
            &config.extra_arguments,
        ))
        .current_dir(&config.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (process, output) = Process::spawn(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("{} is not installed", config.board.qemu.program))
        }
        _ => error,
    })?;
    leftover::record(&config.directory, process.pid())?;
    Ok((process, read_output(output, &wiring.console, messages)?))
}

fn read_output(output: Output, console: &Console, messages: &Messages) -> io::Result<Vec<Reader>> {
    let mut readers = Vec::new();
    if let Some(stdout) = output.stdout {
        let pipe = pipe::Receiver::from_owned_fd(stdout.into())?;
        let console = console.clone();
        readers.push(read_pipe(pipe, move |bytes| console.write(bytes)));
    }
    if let Some(stderr) = output.stderr {
        let pipe = pipe::Receiver::from_owned_fd(stderr.into())?;
        let messages = Arc::clone(messages);
        readers.push(read_pipe(pipe, move |bytes| {
            let mut kept = messages.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes);
            let excess = kept.len().saturating_sub(QEMU_MESSAGE_BYTES_MAX);
            kept.drain(..excess);
        }));
    }
    Ok(readers)
}

fn read_pipe(mut pipe: pipe::Receiver, sink: impl Fn(&[u8]) + Send + 'static) -> Reader {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut bytes = vec![0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut bytes).await {
            sink(bytes.split_at(count).0);
        }
    }))
}

/// Lets the board run and obeys; `Ok` if it was told to stop, else what went wrong as far as known.
async fn attend(
    wiring: &Wiring,
    mark: &Mark,
    entropy: Entropy,
    process: &mut Process,
    orders: &mut mpsc::Receiver<Order>,
) -> Result<(), Option<String>> {
    let starting = timeout(QEMU_START_TIMEOUT, boot(wiring, mark, entropy));
    let (qmp, events, _feed) = tokio::select! {
        _ = process.ended() => return Err(None),
        started = starting => match started {
            Ok(started) => started.map_err(|error| Some(error.to_string()))?,
            Err(_) => return Err(Some("qemu did not answer at its start".into())),
        },
        () = closed(orders) => return Ok(()),
    };
    wiring.status.send_modify(|status| status.phase = Phase::Running);
    obey(wiring, process, orders, &qmp, events).await
}

/// Waits for QMP and for the serial lines that must lose nothing, then lets the processor run.
async fn boot(
    wiring: &Wiring,
    mark: &Mark,
    entropy: Entropy,
) -> Result<(Qmp, mpsc::Receiver<Event>, AbortOnDropHandle<()>), QmpError> {
    let (stream, _) = wiring.qmp.accept().await?;
    let (qmp, events) = Qmp::open(stream).await?;
    if let Some(flash) = &wiring.flash {
        flash.connected(mark.flash_connections + 1).await;
    }
    if let Some(uplink) = &wiring.uplink {
        uplink.connected(mark.uplink_connections + 1).await;
    }
    while !is_wired(&qmp).await? {
        tokio::time::sleep(WIRING_POLL).await;
    }
    let shown = wiring.temperatures.borrow().clone();
    set_temperatures(&qmp, &shown).await?;
    offer_debugger(wiring, &qmp).await?;
    let feed = entropy.feed();
    if wiring.config.firmware.is_some() {
        qmp.execute("cont", Value::Null).await?;
    }
    Ok((qmp, events, feed))
}

/// Lets a debugger of the same user connect. Until one does, this costs nothing; a board runs
/// without it too.
async fn offer_debugger(wiring: &Wiring, qmp: &Qmp) -> Result<(), QmpError> {
    let line = format!("gdbserver unix:{GDB_SOCKET},server=on,wait=off");
    let said = qmp.execute("human-monitor-command", json!({ "command-line": line })).await?;
    let path = wiring.config.directory.join(GDB_SOCKET);
    if let Err(error) = std::fs::set_permissions(&path, Permissions::from_mode(0o600)) {
        let said = said.as_str().unwrap_or_default().trim();
        tracing::warn!(board = wiring.config.name, %error, said, "no socket for a debugger");
    }
    Ok(())
}

/// Whether every serial port of the firmware has its other end; that of the guests may stay without.
/// QEMU connects beside its other work, and drops what a board says before it has noticed that it is
/// connected.
async fn is_wired(qmp: &Qmp) -> Result<bool, QmpError> {
    let chardevs = qmp.execute("query-chardev", Value::Null).await?;
    let mut needed =
        chardevs.as_array().into_iter().flatten().filter(|chardev| chardev["label"] != GUEST_PORT);
    Ok(needed.all(|chardev| {
        !chardev["filename"].as_str().unwrap_or_default().starts_with("disconnected")
    }))
}

/// Makes the sensors measure these; those beyond the sensors that there are do not matter.
async fn set_temperatures(qmp: &Qmp, millidegrees: &[i32]) -> Result<(), QmpError> {
    for (index, value) in millidegrees.iter().enumerate() {
        let path = format!("/machine/peripheral/{}", sensor_id(index));
        let change = json!({"path": path, "property": "temperature", "value": value});
        qmp.execute("qom-set", change).await?;
    }
    Ok(())
}

async fn obey(
    wiring: &Wiring,
    process: &mut Process,
    orders: &mut mpsc::Receiver<Order>,
    qmp: &Qmp,
    mut events: mpsc::Receiver<Event>,
) -> Result<(), Option<String>> {
    let mut has_events = true;
    let mut temperatures = wiring.temperatures.clone();
    temperatures.mark_changed();
    loop {
        let event = async { if has_events { events.recv().await } else { never().await } };
        tokio::select! {
            _ = process.ended() => return Err(None),
            event = event => match event {
                Some(event) => note(wiring, &event),
                // The process follows, or is stuck and stays for the orders.
                None => has_events = false,
            },
            Ok(()) = temperatures.changed() => {
                let wanted = temperatures.borrow_and_update().clone();
                if let Err(error) = set_temperatures(qmp, &wanted).await {
                    tracing::warn!(board = wiring.config.name, %error, "temperature of a sensor");
                }
            }
            order = orders.recv() => match order {
                Some(Order::Reset(done)) => {
                    let result = qmp.execute("system_reset", Value::Null).await;
                    let _ = done.send(result.map(drop).map_err(Into::into));
                }
                Some(Order::Kill(done)) => {
                    process.kill();
                    let _ = done.send(Ok(()));
                }
                None => {
                    // One that is stuck is killed by the caller.
                    let _ = timeout(QEMU_STOP_TIMEOUT, async {
                        let _ = qmp.execute("quit", Value::Null).await;
                        process.ended().await
                    }).await;
                    return Ok(());
                }
            },
        }
    }
}

fn note(wiring: &Wiring, event: &Event) {
    tracing::debug!(board = wiring.config.name, event = event.name, data = %event.data, "qmp");
    if event.name == "RESET" {
        wiring.status.send_modify(|status| status.resets += 1);
    }
}

/// Returns when nobody can give orders any more; refuses those that come before.
async fn closed(orders: &mut mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        order.refuse();
    }
}

/// The last console line about a panic or a fault, else the last line of QEMU.
fn last_words(wiring: &Wiring, mark: &Mark, messages: &Messages) -> Option<String> {
    let is_fault = |line: &str| {
        let line = line.to_lowercase();
        line.contains("panic") || line.contains("fault")
    };
    let lines = wiring.console.since(mark.lines);
    let fault = lines.iter().rev().find(|line| is_fault(line));
    if let Some(fault) = fault {
        return Some(fault.to_string());
    }
    let kept = messages.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&kept);
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}
