//! Runs guests on the author's machine, by the same `runtime` that boards run. Leaves out the gateway
//! and with it signatures: grants and limits come from the author.

mod hardware;
mod input;
mod sensor;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use wasmbed_abi::Capability;
use wasmbed_catalog::Board;
use wasmbed_compiler::{Options, PrepareError, Prepared, prepare};
use wasmbed_image::limits::MANIFEST_BYTES_MAX;
use wasmbed_image::{Config, GrantList, Limits, Manifest, RestartPolicy};
use wasmbed_journal::ram::RamFlash;
use wasmbed_runtime::{BoardFacts, Device, Local, Memory, ResetReason, limits as device_limits};
use wasmbed_wire::{AppId, CommandOutcome, Digest, GuestReason, GuestState, StateReport};

use crate::error::WorkshopError;
use crate::manifest::GuestLimits;
use crate::names;
use hardware::{Action, Hardware, LocalFlash};
use input::PRESS;
pub use input::{Input, What, duration};
pub use sensor::Sensor;

/// Guests of one run.
const GUESTS: usize = device_limits::GUESTS_MAX;

/// Bytes that wait to be shown after a slice: more than a slice can log.
const QUEUE_BYTES: usize = 1 << 20;

/// Alignment of a device's arena.
const ARENA_ALIGN_BYTES: usize = 8;

/// When a run is over although a guest that was stopped has not ended: after its grace, and a little
/// more for the device to end it.
const GRACE: Duration = Duration::from_millis(device_limits::STOP_GRACE_MS + 500);

/// One guest to run.
#[derive(Clone, Debug)]
pub struct LocalGuest {
    /// What it is called; what it stores belongs to this name.
    pub name: String,
    /// Its module.
    pub module: Vec<u8>,
    /// What it may do, as an Application would grant it.
    pub grants: Vec<String>,
    /// Its limits.
    pub limits: GuestLimits,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, as NAME=VALUE.
    pub env: Vec<String>,
}

/// How guests are run.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The board whose RAM and pins there are.
    pub board: &'static Board,
    /// When the run is over, whatever guests do.
    pub run_for: Option<Duration>,
    /// File that keeps what guests store.
    pub flash: Option<PathBuf>,
    /// What is on the I2C bus.
    pub sensors: Vec<Sensor>,
    /// What happens from outside, and when.
    pub inputs: Vec<Input>,
}

/// What a guest did that can be seen.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum Event {
    /// It logged a line.
    Log { guest: usize, text: String },
    /// It published a value.
    Telemetry { guest: usize, topic: String, value: i64 },
    /// It sent a message.
    Message { guest: usize, topic: String, payload: Vec<u8> },
    /// An LED was switched.
    Led { index: u8, is_on: bool },
    /// Bytes went out over a serial line.
    Uart { index: u8, bytes: Vec<u8> },
    /// A message from outside was given, or nobody took it.
    Delivered { topic: String, is_taken: bool },
    /// Something was lost, because more was said than could wait.
    Lost { lines: u32, samples: u32, messages: u32 },
}

/// How a guest stands at the end of a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ending {
    /// Name of the guest.
    pub name: String,
    /// Its state.
    pub state: GuestState,
    /// Why it is in that state.
    pub reason: GuestReason,
    /// What it ended with, if it said so.
    pub exit_code: Option<i32>,
    /// Where it trapped, by the module's own names and offsets.
    pub place: Option<String>,
    /// For a refusal by size: what was needed and what was there, in bytes.
    pub sizes: Option<(u32, u32)>,
    /// Bytes of RAM that it takes, or would take.
    pub ram_bytes: Option<u32>,
    /// WebAssembly operators that it executed.
    pub fuel: u64,
    /// Host functions that it called.
    pub host_calls: u32,
}

/// A guest made ready.
struct Ready {
    name: String,
    app: AppId,
    prepared: Prepared,
    names: Vec<Option<String>>,
    manifest: Vec<u8>,
}

/// Runs guests until all have ended, the time is over, or `stop` says so; `show` sees what they do.
/// A run that nobody can stop any more, because the sender of `stop` is gone, stops as well.
///
/// # Errors
/// [`WorkshopError`] if a module cannot be prepared, is not granted what it imports, or does not fit.
pub fn run(
    guests: &[LocalGuest],
    options: &LocalOptions,
    stop: &Receiver<()>,
    show: &mut dyn FnMut(&Event),
) -> Result<Vec<Ending>, WorkshopError> {
    for (index, guest) in guests.iter().enumerate() {
        if guests.iter().take(index).any(|other| other.name == guest.name) {
            return Err(WorkshopError::SameName { name: guest.name.clone() });
        }
    }
    let ready: Result<Vec<Ready>, _> = guests.iter().map(make).collect();
    let ready = ready?;
    let mut hardware = hardware(options)?;
    let ram_bytes = vec![None; ready.len()];
    let arena_bytes = options.board.guests.arena_bytes as usize;
    let mut arena = vec![0; arena_bytes + ARENA_ALIGN_BYTES];
    let begin = arena.as_ptr().align_offset(ARENA_ALIGN_BYTES);
    let arena = arena.get_mut(begin..begin + arena_bytes).unwrap_or_default();
    let mut queue = vec![0; QUEUE_BYTES];
    let mut device = Box::new(Device::<GUESTS>::new());
    let memory = Memory { arena, queue: &mut queue };
    device.start(memory, facts(options.board), &mut hardware).map_err(WorkshopError::Start)?;
    if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
        device.tell_time_local(now.as_millis() as u64, hardware.now_ms());
    }
    for guest in &ready {
        let installed = device.install_local(&guest.manifest, &guest.prepared.image, &mut hardware);
        installed.map_err(|reason| WorkshopError::NotInstalled {
            name: guest.name.clone(),
            reason: reason.name(),
        })?;
    }
    let device = &mut device;
    Run {
        device,
        hardware,
        ready: &ready,
        options,
        show,
        lost: [0; 3],
        is_stopping: false,
        ram_bytes,
    }
    .go(stop)
}

fn facts(board: &Board) -> BoardFacts<'static> {
    BoardFacts {
        board: board.name,
        firmware: env!("CARGO_PKG_VERSION"),
        dtb_digest: Digest(board.dtb_digest),
        reset_reason: ResetReason::PowerOn,
        fault: None,
    }
}

fn hardware(options: &LocalOptions) -> Result<Hardware, WorkshopError> {
    let capacity_bytes = options.board.storage.bytes as usize;
    let flash = match &options.flash {
        Some(path) => LocalFlash::kept(path, capacity_bytes)?,
        None => LocalFlash::Memory(RamFlash::new(capacity_bytes)),
    };
    Ok(Hardware::new(flash, options.board, options.sensors.clone()))
}

/// Prepares a guest under what it was granted, and says so in a manifest.
fn make(guest: &LocalGuest) -> Result<Ready, WorkshopError> {
    let granted = GrantList::parse(guest.grants.iter().map(String::as_str))
        .map_err(|error| WorkshopError::Grant(error.to_string()))?;
    let grants = granted.grants();
    let allowed = Capability::ALL.into_iter().filter(|capability| grants.has(*capability));
    let settings = Options { granted: Some(allowed.collect()), ..guest.limits.options() };
    let names = names::of_functions(&guest.module);
    let prepared =
        prepare(&guest.module, &settings).map_err(|error| missing_grants(error, &guest.module))?;
    let digest = Sha256::digest(guest.name.as_bytes());
    let mut app_uid = [0; 16];
    app_uid.iter_mut().zip(digest).for_each(|(target, byte)| *target = byte);
    let (args, environ) = (ended(&guest.args), ended(&guest.env));
    let manifest = Manifest {
        namespace: "local",
        app_name: &guest.name,
        app_uid,
        // A later run replaces an earlier one in a flash that is kept.
        generation: SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs()),
        image_digest: prepared.digest,
        image_bytes: prepared.needs.image_bytes,
        grants,
        config: Config { args: &args, environ: &environ },
        limits: Limits {
            memory_bytes: prepared.needs.memory_bytes_max,
            stack_bytes: prepared.needs.stack_bytes,
            fuel: guest.limits.fuel,
        },
        restart_policy: RestartPolicy::Never,
        priority: 0,
    };
    let mut target = [0; MANIFEST_BYTES_MAX];
    let bytes = manifest.encode(&mut target).map_err(WorkshopError::Manifest)?;
    let manifest = target.get(..bytes).unwrap_or_default().to_vec();
    Ok(Ready { name: guest.name.clone(), app: AppId(app_uid), prepared, names, manifest })
}

/// Strings one after the other, each ended by a zero.
fn ended(strings: &[String]) -> Vec<u8> {
    strings.iter().flat_map(|text| text.bytes().chain([0])).collect()
}

/// Of what was not granted, an author wants to know all at once.
fn missing_grants(error: PrepareError, module: &[u8]) -> WorkshopError {
    let PrepareError::CapabilityMissing { .. } = error else { return error.into() };
    match prepare(module, &Options::default()) {
        Ok(prepared) => WorkshopError::NotGranted {
            needed: prepared.needs.capabilities.iter().map(|needed| needed.name()).collect(),
        },
        Err(_) => error.into(),
    }
}

/// A run under way.
struct Run<'r, 'd> {
    device: &'r mut Device<'d, GUESTS>,
    hardware: Hardware,
    ready: &'r [Ready],
    options: &'r LocalOptions,
    show: &'r mut dyn FnMut(&Event),
    lost: [u32; 3],
    is_stopping: bool,
    /// What each guest took when it was last seen in memory.
    ram_bytes: Vec<Option<u32>>,
}

impl Run<'_, '_> {
    fn go(mut self, stop: &Receiver<()>) -> Result<Vec<Ending>, WorkshopError> {
        let mut inputs = self.pending();
        let mut given_up_at_ms = u64::MAX;
        let mut is_asked_to_stop = false;
        let over_at_ms = self.options.run_for.map_or(u64::MAX, as_ms);
        loop {
            let now_ms = self.hardware.now_ms();
            while let Some((_, step)) = inputs.pop_if(|(at_ms, _)| *at_ms <= now_ms) {
                self.perform(step);
            }
            let next = self.device.step(now_ms, &mut self.hardware);
            self.note_ram();
            self.show_all();
            if (is_asked_to_stop || over_at_ms <= now_ms) && !self.is_stopping {
                self.is_stopping = true;
                given_up_at_ms = now_ms + as_ms(GRACE);
                for guest in self.ready {
                    self.device.stop_local(guest.app, &mut self.hardware);
                }
                continue;
            }
            if given_up_at_ms <= now_ms || self.has_ended() {
                return Ok(self.endings());
            }
            let input_at_ms = inputs.last().map_or(u64::MAX, |(at_ms, _)| *at_ms);
            let bound_at_ms = if self.is_stopping { given_up_at_ms } else { over_at_ms };
            let wake_at_ms = next.wake_at_ms.min(input_at_ms).min(bound_at_ms);
            let wait = Duration::from_millis(wake_at_ms.saturating_sub(self.hardware.now_ms()));
            if self.is_stopping {
                // A second word to stop changes nothing: only time is waited for.
                std::thread::sleep(wait);
            } else {
                is_asked_to_stop = stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
            }
        }
    }

    /// What happens from outside, the next one last.
    fn pending(&self) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        for input in &self.options.inputs {
            match &input.what {
                What::Press { button } => {
                    steps.push((as_ms(input.at), Step::Hold { button: *button, is_pressed: true }));
                    let released_at_ms = as_ms(input.at + PRESS);
                    steps.push((released_at_ms, Step::Hold { button: *button, is_pressed: false }));
                }
                What::Message { topic, payload } => {
                    let (topic, payload) = (topic.clone(), payload.clone());
                    steps.push((as_ms(input.at), Step::Deliver { topic, payload }));
                }
                What::Type { text } => {
                    steps.push((as_ms(input.at), Step::Type { text: text.clone() }));
                }
            }
        }
        steps.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
        steps
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::Hold { button, is_pressed } => self.hardware.hold(button, is_pressed),
            Step::Type { text } => self.hardware.type_in(text.as_bytes()),
            Step::Deliver { topic, payload } => {
                let outcome = self.device.deliver_local(&topic, payload.as_bytes());
                let is_taken = outcome == CommandOutcome::Done;
                (self.show)(&Event::Delivered { topic, is_taken });
            }
        }
    }

    /// Shows what guests did since the last look.
    fn show_all(&mut self) {
        let Run { device, hardware, ready, show, .. } = self;
        for action in hardware.actions.drain(..) {
            show(&match action {
                Action::Led { index, is_on } => Event::Led { index, is_on },
                Action::Uart { index, bytes } => Event::Uart { index, bytes },
            });
        }
        let mut said = Vec::new();
        while let Some(one) = device.take_local(|said| event(ready, said)) {
            said.push(one);
        }
        // They come by kind; authors want them by time.
        said.sort_by_key(|(uptime_ms, _)| *uptime_ms);
        said.iter().for_each(|(_, event)| show(event));
        let dropped = device.local_dropped();
        // What waits for a guest when it is stopped is lost by its end, which is no news.
        if dropped != self.lost && !self.is_stopping {
            let [lines, samples, messages] = dropped;
            self.lost = dropped;
            (self.show)(&Event::Lost { lines, samples, messages });
        }
    }

    fn note_ram(&mut self) {
        for report in self.device.local_reports().filter(|report| report.memory_bytes.is_some()) {
            let guests = self.ready.iter().zip(&mut self.ram_bytes);
            for (_, seen) in guests.filter(|(guest, _)| guest.app == report.app) {
                *seen = report.memory_bytes;
            }
        }
    }

    fn has_ended(&self) -> bool {
        let is_going = |report: StateReport| {
            !matches!(
                report.state,
                GuestState::Finished
                    | GuestState::Failed
                    | GuestState::Refused
                    | GuestState::Stopped
            )
        };
        !self.device.local_reports().any(is_going)
    }

    fn endings(&self) -> Vec<Ending> {
        let ending = |(guest, ram_bytes): (&Ready, &Option<u32>)| {
            let report = self.device.local_reports().find(|report| report.app == guest.app)?;
            let counters = self.device.local_counters().find(|counted| counted.app == guest.app);
            Some(Ending {
                name: guest.name.clone(),
                state: report.state,
                reason: report.reason,
                exit_code: report.exit_code,
                place: place(guest, &report),
                ram_bytes: *ram_bytes,
                sizes: report.needed_bytes.zip(report.available_bytes),
                fuel: counters.and_then(|counted| counted.fuel).unwrap_or(0),
                host_calls: counters.map_or(0, |counted| counted.host_calls),
            })
        };
        self.ready.iter().zip(&self.ram_bytes).filter_map(ending).collect()
    }
}

/// Something from outside, at its time.
enum Step {
    Hold { button: u8, is_pressed: bool },
    Deliver { topic: String, payload: String },
    Type { text: String },
}

fn as_ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// When and what.
fn event(ready: &[Ready], said: Local<'_>) -> (u64, Event) {
    let number = |app| ready.iter().position(|guest| guest.app == app).unwrap_or(0);
    match said {
        Local::Log { app, uptime_ms, text } => {
            let text = String::from_utf8_lossy(text).into_owned();
            (uptime_ms, Event::Log { guest: number(app), text })
        }
        Local::Telemetry { app, uptime_ms, topic, value } => {
            (uptime_ms, Event::Telemetry { guest: number(app), topic: topic.to_owned(), value })
        }
        Local::Message { app, uptime_ms, topic, payload } => {
            let (topic, payload) = (topic.to_owned(), payload.to_vec());
            (uptime_ms, Event::Message { guest: number(app), topic, payload })
        }
    }
}

/// Where a guest trapped: the function by its name, the operator by its offset in the module.
fn place(guest: &Ready, report: &StateReport) -> Option<String> {
    let (function, code_offset) = (report.function?, report.offset?);
    let name = guest.names.get(function as usize).cloned().flatten();
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    Some(match guest.prepared.source_offset(code_offset) {
        Some(offset) => format!("in function {function}{name}, at {offset:#x} in the module"),
        None => format!("in function {function}{name}, at {code_offset:#x} in the image's code"),
    })
}
