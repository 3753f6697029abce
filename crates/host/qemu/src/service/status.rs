//! What the status of a VirtualDevice says. Pure; the writing is at the end.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use wasmbed_crds::virtual_device::{Crash as ReportedCrash, LineCounters};
use wasmbed_crds::{VirtualDevice, VirtualDeviceStatus, condition};
use wasmbed_model::condition::{Observation, Verdict, kinds, reasons};

use super::{Context, FIELD_MANAGER, ReconcileError};
use crate::board::{BoardStatus, Crash, Phase};
use crate::process::Exit;

#[cfg(test)]
mod tests;

/// Longest message that the schema takes.
const MESSAGE_CHARS_MAX: usize = 1024;

/// Reason of `Powered` and `Ready` while no manager runs.
const MANAGER_STOPPED: &str = "ManagerStopped";

/// What there is instead of, or beside, a running board.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The spec cannot be followed.
    Refused { reason: &'static str, message: String },
    /// The spec says so.
    Off,
    /// A board.
    Board(Box<BoardStatus>),
    /// The manager that ran it has stopped, and the board with it.
    Unattended,
}

/// What is known of a VirtualDevice.
#[derive(Clone, Debug)]
pub(super) struct Observed<'a> {
    pub(super) outcome: Outcome,
    /// Name of the board, if there is such a one.
    pub(super) board: Option<&'static str>,
    /// The Device it enrolled as.
    pub(super) device: Option<&'a str>,
    pub(super) console_log: Option<&'a Path>,
    /// The `resetAt` that the board has followed.
    pub(super) reset_at: Option<Time>,
    /// What has passed its line.
    pub(super) line: Option<LineCounters>,
}

/// The status that follows from what is known; `before` gives the times of what did not change.
pub(super) fn status(
    before: &VirtualDeviceStatus,
    generation: Option<i64>,
    observed: &Observed<'_>,
    now: Timestamp,
) -> VirtualDeviceStatus {
    let mut status = VirtualDeviceStatus {
        observed_generation: generation,
        conditions: before.conditions.clone(),
        board: observed.board.map(str::to_owned),
        device: observed.device.map(str::to_owned),
        pid: None,
        console_log: observed.console_log.map(|path| path.display().to_string()),
        crash: before.crash.clone(),
        restarts: before.restarts,
        reset_at: observed.reset_at.clone().or_else(|| before.reset_at.clone()),
        line: before.line.clone(),
    };
    // Counters change all the time, and the API server is no place for that.
    if before.observed_generation != generation && observed.line.is_some() {
        status.line.clone_from(&observed.line);
    }
    if let Outcome::Board(board) = &observed.outcome {
        status.pid = board.pid.map(Into::into);
        status.restarts = board.restarts.into();
        if let Some(crash) = &board.crash {
            status.crash = Some(report(crash));
        }
    }
    let powered = powered(&observed.outcome);
    let enrolled = enrolled(observed.device);
    let ready = ready(&powered, &enrolled);
    for observation in [powered, enrolled, ready] {
        condition::set(&mut status.conditions, &observation, generation, Time(now));
    }
    status
}

fn powered(outcome: &Outcome) -> Observation {
    let board = match outcome {
        Outcome::Refused { reason, message } => {
            return Observation::fails(kinds::POWERED, reason, message);
        }
        Outcome::Off => {
            let message = "the spec says power: Off";
            return Observation::fails(kinds::POWERED, reasons::POWERED_OFF, message);
        }
        Outcome::Unattended => {
            let message = "the QEMU manager has stopped, and the emulator with it";
            return Observation::unknown(kinds::POWERED, MANAGER_STOPPED, message);
        }
        Outcome::Board(board) => board,
    };
    let crash = || board.crash.as_ref().map_or_else(String::new, Crash::to_string);
    match board.phase {
        Phase::Running => {
            let message = "the emulator runs";
            Observation::holds(kinds::POWERED, reasons::EMULATOR_RUNNING, message)
        }
        Phase::Starting => {
            Observation::fails(kinds::POWERED, reasons::PENDING, "the emulator is being started")
        }
        Phase::Waiting => {
            let delay = board.restart_delay.unwrap_or_default().as_millis();
            let message = format!("{}; started again after {delay} ms", crash());
            Observation::fails(kinds::POWERED, reasons::CRASHED, short(&message))
        }
        Phase::Stopped => Observation::fails(kinds::POWERED, reasons::CRASHED, short(&crash())),
    }
}

fn enrolled(device: Option<&str>) -> Observation {
    match device {
        Some(device) => {
            let message = format!("it enrolled as Device {device}");
            Observation::holds(kinds::ENROLLED, reasons::KEY_KNOWN, message)
        }
        None => {
            let message = "no device has used its Enrollment yet";
            Observation::fails(kinds::ENROLLED, reasons::ENROLLING, message)
        }
    }
}

fn ready(powered: &Observation, enrolled: &Observation) -> Observation {
    match [powered, enrolled].into_iter().find(|part| part.verdict != Verdict::True) {
        Some(part) => {
            Observation::new(kinds::READY, part.verdict, part.reason, part.message.clone())
        }
        None => {
            let message = "it runs, and its Device is known";
            Observation::holds(kinds::READY, reasons::AS_EXPECTED, message)
        }
    }
}

fn report(crash: &Crash) -> ReportedCrash {
    let reason = match crash.exit {
        None => "NotStarted",
        Some(Exit::Code(_)) => "Exited",
        Some(Exit::Signal(_)) => "Killed",
        Some(Exit::Unknown) => "Unknown",
    };
    ReportedCrash {
        reason: reason.into(),
        message: Some(short(&crash.to_string())),
        time: timestamp(crash.time).map(Time),
    }
}

/// Whole seconds, as the API writes them.
fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Timestamp::from_second(since.as_secs().cast_signed()).ok()
}

fn short(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// Writes what is known, unless the API server has it already.
///
/// `outcome` is asked for only once it is this report's turn, so a later one never says less.
pub(super) async fn write(
    context: &Context,
    device: &VirtualDevice,
    outcome: impl FnOnce() -> Option<Outcome>,
    enrolled: Option<String>,
) -> Result<(), ReconcileError> {
    let uid = device.uid().ok_or(ReconcileError::Incomplete("uid"))?;
    let reported = context.fleet.reported(&uid);
    let mut reported = reported.lock().await;
    let Some(outcome) = outcome() else { return Ok(()) };
    if enrolled.is_some() {
        reported.device = enrolled;
    }
    let current = device.status.clone().unwrap_or_default();
    let before = reported.status.clone().unwrap_or_else(|| current.clone());
    let name = reported.device.clone().or_else(|| before.device.clone());
    let console_log = super::reconcile::directory(context, &uid).join(crate::board::CONSOLE_FILE);
    let observed = Observed {
        board: wasmbed_catalog::board(&device.spec.board).ok().map(|board| board.name),
        outcome,
        device: name.as_deref(),
        console_log: console_log.exists().then_some(&*console_log),
        reset_at: context.fleet.reset_at(&uid),
        line: context.fleet.passed(&uid),
    };
    let now = timestamp(SystemTime::now()).unwrap_or_default();
    let status = status(&before, device.metadata.generation, &observed, now);
    if status == before && status == current {
        return Ok(());
    }
    let namespace = device.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let api: Api<VirtualDevice> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "VirtualDevice",
        // Not another object that was given the same name in the meantime.
        "metadata": { "name": device.name_any(), "uid": uid },
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&device.name_any(), &parameters, &Patch::Apply(patch)).await {
        Ok(_) => {}
        Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => return Ok(()),
        Err(error) => return Err(ReconcileError::Api("write the status", error)),
    }
    reported.status = Some(status);
    Ok(())
}
