//! What the status of a Device says, derived from what its session said.
//!
//! Pure: when it is written, and whether it still may be, is `status_writer`'s business.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use wasmbed_crds::condition;
use wasmbed_crds::device::{DeviceApplication, DeviceBudget, DeviceStatus, LastTrap};
use wasmbed_crds::limits::DEVICE_APPLICATIONS_MAX;
use wasmbed_model::condition::{Observation, Verdict, kinds, reasons};
use wasmbed_model::desired::Budget;
use wasmbed_model::host_interface;
use wasmbed_model::ids::uid_text;
use wasmbed_wire::{self as wire, AppId, GuestReason, GuestState, StateReport};

use crate::last_reset;
use crate::session::{CloseReason, EndReason, HelloFacts};

#[cfg(test)]
mod tests;

/// Where a device's session stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Link {
    /// It has not said what it holds yet.
    #[default]
    Opening,
    /// It has.
    Open,
    /// It is over.
    Closed(Ended),
}

/// Why a session that stood is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// The device closed it, or the transport broke.
    ByPeer,
    /// The device left what it was sent unread.
    SlowPeer,
    /// The session itself was closed.
    Session(CloseReason),
}

#[derive(Clone, Debug, PartialEq)]
struct Guest {
    report: StateReport,
    since: Timestamp,
    /// When the report came: what it says of the time to come counts from then.
    received: Timestamp,
    last_trap: Option<LastTrap>,
    /// Generation that runs on after the reported one failed, where the device went back to it.
    runs_on: Option<u64>,
}

impl Guest {
    /// Whether a report is about the older image that the device went back to. What failed stays
    /// said, in whatever order the two reports come.
    fn went_back_to(&self, report: &StateReport) -> bool {
        report.generation < self.report.generation
            && matches!(self.report.state, GuestState::Failed | GuestState::Refused)
    }
}

/// What a session said that belongs into the Device's status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) epoch: u64,
    hello: Option<HelloFacts>,
    link: Link,
    guests: BTreeMap<AppId, Guest>,
    /// Guests of an older session that this one has not spoken of yet.
    carried: Vec<DeviceApplication>,
    /// Applications that were not sent, because the device cannot hold them.
    withheld: Vec<DeviceApplication>,
}

impl Facts {
    /// Facts of a session that begins; `carried` is what the status said before it.
    pub(crate) fn begin(epoch: u64, hello: HelloFacts, carried: Vec<DeviceApplication>) -> Self {
        Self { epoch, hello: Some(hello), carried, ..Self::default() }
    }

    /// Which start of the device the session belongs to.
    pub(crate) fn boot_count(&self) -> u32 {
        self.hello.as_ref().map_or(0, |hello| hello.boot_count)
    }

    /// What fits on the device; absent before any session.
    pub(crate) fn budget(&self) -> Option<Budget> {
        let hello = self.hello.as_ref()?;
        let wire::Budget { arena_bytes, slot_bytes, slots, guests } = hello.budget;
        let image_format = hello.image_format;
        let host_calls = hello.host_calls.unwrap_or(u32::MAX);
        Some(Budget { arena_bytes, slot_bytes, slots, guests, image_format, host_calls })
    }

    /// Takes a report in; `module_offset` is where in the module it trapped, if that is known.
    /// Returns whether it changed anything.
    pub(crate) fn report(
        &mut self,
        report: StateReport,
        module_offset: Option<u32>,
        now: Timestamp,
    ) -> bool {
        let uid = uid_text(&report.app);
        let carried = self.carried.iter().position(|app| app.uid == uid);
        let carried = carried.map(|index| self.carried.remove(index));
        if report.state == GuestState::Removed {
            return self.changed(
                self.guests.contains_key(&report.app) || carried.is_some(),
                |facts| {
                    facts.guests.remove(&report.app);
                },
            );
        }
        let known = self.guests.get(&report.app);
        if known.is_some_and(|guest| lasting(guest.report) == lasting(report)) {
            return false;
        }
        if let Some(failed) = known.filter(|guest| guest.went_back_to(&report)).cloned() {
            let is_running = report.state == GuestState::Running;
            let runs_on = is_running.then_some(report.generation);
            return self.changed(failed.runs_on != runs_on, |facts| {
                facts.guests.insert(report.app, Guest { runs_on, ..failed });
            });
        }
        let runs_on = known
            .filter(|guest| guest.report.state == GuestState::Running)
            .map(|guest| guest.report.generation)
            .filter(|generation| *generation < report.generation)
            .filter(|_| matches!(report.state, GuestState::Failed | GuestState::Refused));
        if known.is_none() && self.guests.len() >= DEVICE_APPLICATIONS_MAX {
            // No device holds so many; what it makes up is not kept.
            return false;
        }
        let since = match (known, &carried) {
            (Some(guest), _) if guest.report.state == report.state => guest.since,
            (None, Some(app)) if app.state == report.state.name() => {
                app.last_transition_time.as_ref().map_or(now, |time| time.0)
            }
            _ => now,
        };
        let last_trap = last_trap(&report, module_offset, now).or_else(|| match known {
            Some(guest) => guest.last_trap.clone(),
            None => carried.and_then(|app| app.last_trap),
        });
        let guest = Guest { report, since, received: now, last_trap, runs_on };
        self.changed(true, |facts| {
            facts.guests.insert(report.app, guest);
        })
    }

    /// The device has named all it holds: what an older session said beyond that is gone.
    pub(crate) fn inventory_complete(&mut self) -> bool {
        self.changed(self.link == Link::Opening, |facts| {
            facts.carried.clear();
            facts.link = Link::Open;
        })
    }

    /// The session is over.
    pub(crate) fn close(&mut self, ended: Ended) -> bool {
        self.changed(!matches!(self.link, Link::Closed(_)), |facts| {
            facts.link = Link::Closed(ended)
        })
    }

    /// Whether a status that names this session denies that it stands: a Lease that was renewed too
    /// late had others believe so.
    pub(crate) fn is_denied_by(&self, status: &DeviceStatus) -> bool {
        let stored = status.epoch.and_then(|epoch| u64::try_from(epoch).ok());
        !matches!(self.link, Link::Closed(_))
            && stored == Some(self.epoch)
            && !condition::is_true(&status.conditions, kinds::CONNECTED)
    }

    /// Replaces what was not sent to the device. Times of unchanged entries are kept.
    pub(crate) fn withhold(&mut self, mut withheld: Vec<DeviceApplication>) -> bool {
        for app in &mut withheld {
            let old = self.withheld.iter().find(|old| old.uid == app.uid && old.state == app.state);
            if let Some(old) = old {
                app.last_transition_time.clone_from(&old.last_transition_time);
            }
        }
        self.changed(self.withheld != withheld, |facts| facts.withheld = withheld)
    }

    fn changed(&mut self, changes: bool, change: impl FnOnce(&mut Self)) -> bool {
        if changes {
            change(self);
        }
        changes
    }

    /// The status as this process wants it, with `old` telling since when conditions hold.
    pub(crate) fn render(
        &self,
        gateway: &str,
        name_of: &dyn Fn(&AppId) -> Option<String>,
        old: Option<&DeviceStatus>,
        generation: Option<i64>,
        now: Timestamp,
    ) -> DeviceStatus {
        let conditions = old.map_or(&[][..], |old| &old.conditions);
        let mut conditions: Vec<Condition> =
            condition::find(conditions, kinds::CONNECTED).cloned().into_iter().collect();
        condition::set(&mut conditions, &self.observe(gateway), generation, Time(now));
        let hello = self.hello.as_ref();
        DeviceStatus {
            // The device controller's, with the conditions Enrolled and Ready.
            observed_generation: None,
            conditions,
            gateway: Some(gateway.to_owned()),
            epoch: i64::try_from(self.epoch).ok(),
            firmware: hello.map(|hello| hello.firmware.clone()),
            protocol: hello.map(|hello| format!("{}.{}", wasmbed_wire::MAJOR, hello.minor())),
            dtb_digest: hello.map(|hello| hello.dtb_digest.to_string()),
            image_format: hello.map(|hello| hello.image_format.into()),
            budget: hello.map(|hello| DeviceBudget {
                arena_bytes: hello.budget.arena_bytes.into(),
                slot_bytes: hello.budget.slot_bytes.into(),
                slots: hello.budget.slots.into(),
                guests: hello.budget.guests.into(),
            }),
            host_interface: hello.and_then(|hello| {
                let names = host_interface::names(hello.host_calls?);
                Some(names.into_iter().map(str::to_owned).collect())
            }),
            boot_count: hello.map(|hello| hello.boot_count.into()),
            last_reset: hello.map(|hello| {
                let known = old.filter(|old| old.boot_count == Some(hello.boot_count.into()));
                let known = known.and_then(|old| old.last_reset.as_ref()?.time.clone());
                last_reset::render(hello, known.unwrap_or(Time(now)))
            }),
            applications: self.applications(name_of),
        }
    }

    fn applications(&self, name_of: &dyn Fn(&AppId) -> Option<String>) -> Vec<DeviceApplication> {
        let mut applications: Vec<DeviceApplication> = Vec::new();
        let reported = self.guests.values().map(|guest| application(guest, name_of));
        // What the device says comes first; names are the key of the list, so they are unique.
        for app in reported.chain(self.withheld.iter().cloned()).chain(self.carried.iter().cloned())
        {
            if applications.len() < DEVICE_APPLICATIONS_MAX
                && applications.iter().all(|other| other.name != app.name)
            {
                applications.push(app);
            }
        }
        applications.sort_by(|a, b| a.name.cmp(&b.name));
        applications
    }

    fn observe(&self, gateway: &str) -> Observation {
        match self.link {
            Link::Opening | Link::Open => Observation::holds(
                kinds::CONNECTED,
                reasons::SESSION_OPEN,
                format!("gateway {gateway} holds the session"),
            ),
            Link::Closed(ended) => {
                let (verdict, reason, message) = explain(ended);
                Observation::new(kinds::CONNECTED, verdict, reason, message)
            }
        }
    }
}

fn explain(ended: Ended) -> (Verdict, &'static str, &'static str) {
    let closed = |message| (Verdict::False, reasons::SESSION_CLOSED, message);
    match ended {
        Ended::ByPeer => closed("the device closed the session, or the connection broke"),
        Ended::SlowPeer => closed("the device left what it was sent unread for too long"),
        Ended::Session(CloseReason::HeartbeatTimeout) => (
            Verdict::False,
            reasons::HEARTBEAT_TIMEOUT,
            "the device was silent for longer than the heartbeat timeout",
        ),
        Ended::Session(CloseReason::Ended(EndReason::Revoked)) => {
            (Verdict::False, reasons::DISABLED, "the device is disabled")
        }
        Ended::Session(CloseReason::Ended(EndReason::ShuttingDown)) => {
            (Verdict::Unknown, reasons::GATEWAY_LOST, "the gateway that held the session stopped")
        }
        Ended::Session(CloseReason::Ended(EndReason::Superseded)) => {
            closed("a newer session took over")
        }
        Ended::Session(CloseReason::Ended(EndReason::Deleted)) => closed("the device was deleted"),
        Ended::Session(CloseReason::Malformed | CloseReason::UnexpectedMessage) => {
            closed("the device broke the protocol")
        }
        // These end sessions before they stand.
        Ended::Session(CloseReason::HelloTimeout | CloseReason::Refused(_)) => {
            closed("the session ended before it stood")
        }
    }
}

/// A report without what changes all the time while the guest's state does not.
fn lasting(report: StateReport) -> StateReport {
    StateReport { memory_bytes: None, fuel: None, backoff_ms: None, ..report }
}

/// The trap that a report tells of, if it does.
fn last_trap(report: &StateReport, module_offset: Option<u32>, now: Timestamp) -> Option<LastTrap> {
    let is_trap = report.state == GuestState::Failed && report.reason.name().starts_with("Trap");
    is_trap.then(|| LastTrap {
        reason: report.reason.name().to_owned(),
        function: report.function.map(i64::from),
        module_offset: module_offset.map(i64::from),
        image_offset: report.offset.map(i64::from),
        generation: i64::try_from(report.generation).unwrap_or(i64::MAX),
        time: Some(Time(now)),
    })
}

fn application(guest: &Guest, name_of: &dyn Fn(&AppId) -> Option<String>) -> DeviceApplication {
    let report = &guest.report;
    let uid = uid_text(&report.app);
    DeviceApplication {
        name: name_of(&report.app).unwrap_or_else(|| uid.clone()),
        uid,
        generation: i64::try_from(report.generation).unwrap_or(i64::MAX),
        image_digest: report.image.map(|digest| digest.to_string()),
        state: report.state.name().to_owned(),
        reason: reason_name(report).to_owned(),
        message: message(guest),
        restarts: report.restarts.into(),
        fuel: report.fuel.map(|fuel| i64::try_from(fuel).unwrap_or(i64::MAX)),
        memory_bytes: report.memory_bytes.map(i64::from),
        next_start_time: next_start(guest).map(Time),
        last_trap: guest.last_trap.clone(),
        last_transition_time: Some(Time(guest.since)),
    }
}

fn reason_name(report: &StateReport) -> &'static str {
    match report.reason {
        GuestReason::None => reasons::AS_EXPECTED,
        reason => reason.name(),
    }
}

/// When the device starts the failed guest again.
fn next_start(guest: &Guest) -> Option<Timestamp> {
    let wait = guest.report.backoff_ms.filter(|_| guest.report.state == GuestState::Failed)?;
    guest.received.checked_add(SignedDuration::from_millis(wait.into())).ok()
}

/// Where it trapped: in the module, if its source map is at hand, else in the image.
fn place(guest: &Guest) -> Option<String> {
    let function = guest.report.function?;
    let trap = guest.last_trap.as_ref();
    let module_offset = trap.and_then(|trap| trap.module_offset);
    Some(match (module_offset, guest.report.offset) {
        (Some(offset), _) => format!("in function {function} at byte {offset:#x} of the module"),
        (None, Some(offset)) => format!(
            "in function {function} at byte {offset:#x} of the image's code (no source map at hand)"
        ),
        (None, None) => format!("in function {function}"),
    })
}

/// The numbers of a report as a sentence.
fn message(guest: &Guest) -> Option<String> {
    let report = &guest.report;
    let mut parts = Vec::new();
    if let Some(generation) = guest.runs_on {
        parts.push(format!("generation {generation} runs on"));
    }
    parts.extend(place(guest));
    match (report.needed_bytes, report.available_bytes) {
        (Some(needed), Some(available)) => {
            parts.push(format!("needs {needed} bytes, {available} are available"));
        }
        (Some(needed), None) => parts.push(format!("needs {needed} bytes")),
        (None, Some(available)) => parts.push(format!("{available} bytes are available")),
        (None, None) => {}
    }
    if let Some(code) = report.exit_code {
        parts.push(format!("exited with code {code}"));
    }
    if let Some(wait) = report.backoff_ms.filter(|_| report.state == GuestState::Failed) {
        let seconds = f64::from(wait) / 1000.0;
        parts.push(format!("restart {} follows after {seconds} s", u64::from(report.restarts) + 1));
    }
    if let GuestReason::Other(number) = report.reason {
        parts.push(format!("reason number {number}, which this gateway has no name for"));
    }
    if let GuestState::Other(number) = report.state {
        parts.push(format!("state number {number}, which this gateway has no name for"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
