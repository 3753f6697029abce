//! The devices that have, or lately had, a session in this process, with their live data.
//!
//! Live data is bounded per device and never goes to the control API.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use wasmbed_crds::Device;

use crate::bucket::Bucket;
use crate::device_status::Facts;
use crate::limits::{self, Limits};
use crate::mailbox::Mailbox;
use crate::ring::{Ring, Weigh};
use crate::session::{EndReason, HeartbeatFacts, LogFacts, MessageFacts, TelemetryFacts};

#[cfg(test)]
mod tests;

/// One line of a device's log, as readers get it.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    /// When the gateway received it, in milliseconds since 1970.
    pub(crate) received_ms: u64,
    /// Which start of the device wrote it.
    pub(crate) boot_count: u32,
    /// Lines that the device itself dropped just before this one.
    pub(crate) lost_before: u32,
    pub(crate) line: LogFacts,
}

impl Weigh for LogEntry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.line.text.len()
    }
}

/// One sample of a device, as readers get it.
#[derive(Clone, Debug)]
pub(crate) struct TelemetryEntry {
    /// When the gateway received it, in milliseconds since 1970.
    pub(crate) received_ms: u64,
    pub(crate) sample: TelemetryFacts,
}

impl Weigh for TelemetryEntry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.sample.topic.len()
    }
}

/// One message of a device's guests, as readers get it.
#[derive(Clone, Debug)]
pub(crate) struct MessageEntry {
    /// When the gateway received it, in milliseconds since 1970.
    pub(crate) received_ms: u64,
    /// Which start of the device sent it.
    pub(crate) boot_count: u32,
    /// Messages that the device itself dropped just before this one.
    pub(crate) lost_before: u32,
    pub(crate) message: MessageFacts,
}

impl Weigh for MessageEntry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.message.topic.len() + self.message.payload.len()
    }
}

/// The newest heartbeat and when it came.
#[derive(Clone, Debug)]
pub(crate) struct LastHeartbeat {
    pub(crate) received_ms: u64,
    pub(crate) facts: HeartbeatFacts,
}

/// A session that stands.
#[derive(Clone, Debug)]
pub(crate) struct SessionHandle {
    pub(crate) epoch: u64,
    /// Minor version of the protocol that it uses.
    pub(crate) minor: u8,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// Everything this process knows about one device.
#[derive(Debug)]
pub(crate) struct LiveDevice {
    pub(crate) name: String,
    pub(crate) log: Mutex<Ring<LogEntry>>,
    /// Sequence number that the next log line will get: readers that follow wait for it to grow.
    pub(crate) log_next: watch::Sender<u64>,
    pub(crate) telemetry: Mutex<Ring<TelemetryEntry>>,
    pub(crate) messages: Mutex<Ring<MessageEntry>>,
    /// As `log_next`, for messages.
    pub(crate) messages_next: watch::Sender<u64>,
    pub(crate) heartbeat: Mutex<Option<LastHeartbeat>>,
    pub(crate) facts: Mutex<Facts>,
    /// The object as this process wrote it last: the next write is derived from it.
    pub(crate) written: Mutex<Option<Box<Device>>>,
    /// How often its status may be written: a device that changes all the time is not served on
    /// the cost of the control plane.
    status_pace: Mutex<Bucket>,
    session: Mutex<Option<SessionHandle>>,
}

/// Locks, whatever happened to a thread that held the lock before: the data here is always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiveDevice {
    fn new(name: &str, limits: &Limits) -> Self {
        Self {
            name: name.to_owned(),
            log: Mutex::new(Ring::new(limits.log_bytes_max)),
            log_next: watch::Sender::new(1),
            telemetry: Mutex::new(Ring::new(limits.telemetry_bytes_max)),
            messages: Mutex::new(Ring::new(limits.messages_bytes_max)),
            messages_next: watch::Sender::new(1),
            heartbeat: Mutex::new(None),
            facts: Mutex::new(Facts::default()),
            written: Mutex::new(None),
            status_pace: Mutex::new(Bucket::new(limits::STATUS_PACE, Instant::now())),
            session: Mutex::new(None),
        }
    }

    /// Whether its status may be written now.
    pub(crate) fn may_write_status(&self) -> bool {
        lock(&self.status_pace).take(limits::STATUS_PACE, Instant::now())
    }

    /// The session that stands, if one does.
    pub(crate) fn session(&self) -> Option<SessionHandle> {
        lock(&self.session).clone()
    }

    /// Keeps a line of the start `boot_count`, and wakes those who follow.
    pub(crate) fn push_log(&self, received_ms: u64, boot_count: u32, line: LogFacts) {
        let next = {
            let mut log = lock(&self.log);
            let newest = log.newest().map(|entry| (entry.boot_count, entry.line.device_sequence));
            let lost_before = lost(newest, boot_count, line.device_sequence);
            log.push(LogEntry { received_ms, boot_count, lost_before, line });
            log.next_sequence()
        };
        self.log_next.send_replace(next);
    }

    /// Keeps a message of the start `boot_count`, and wakes those who follow.
    /// Answers how many the device lost before it.
    pub(crate) fn push_message(
        &self,
        received_ms: u64,
        boot_count: u32,
        message: MessageFacts,
    ) -> u32 {
        let (next, lost_before) = {
            let mut messages = lock(&self.messages);
            let newest = messages.newest();
            let newest = newest.map(|entry| (entry.boot_count, entry.message.device_sequence));
            let lost_before = lost(newest, boot_count, message.device_sequence);
            messages.push(MessageEntry { received_ms, boot_count, lost_before, message });
            (messages.next_sequence(), lost_before)
        };
        self.messages_next.send_replace(next);
        lost_before
    }
}

/// What a device dropped between the newest entry held and number `sequence` of the same boot: it
/// numbers what guests write since boot, dropped ones included.
fn lost(newest: Option<(u32, u32)>, boot_count: u32, sequence: u32) -> u32 {
    match newest {
        Some((boot, newest)) if boot == boot_count => {
            sequence.saturating_sub(newest.wrapping_add(1))
        }
        // Where the numbers of a boot begin is not known here.
        _ => 0,
    }
}

#[derive(Debug, Default)]
struct Devices {
    by_name: HashMap<String, Arc<LiveDevice>>,
    /// Devices whose session ended, oldest first; a device can be named here more than once.
    departed: VecDeque<String>,
}

/// All devices of this process.
#[derive(Debug)]
pub(crate) struct Registry {
    devices: Mutex<Devices>,
    session_count: AtomicUsize,
    limits: Limits,
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { devices: Mutex::default(), session_count: AtomicUsize::new(0), limits }
    }

    /// What is known about `name`.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<LiveDevice>> {
        lock(&self.devices).by_name.get(name).cloned()
    }

    /// What is known about `name`, which is remembered from now on.
    pub(crate) fn enter(&self, name: &str) -> Arc<LiveDevice> {
        let mut devices = lock(&self.devices);
        if let Some(device) = devices.by_name.get(name) {
            return Arc::clone(device);
        }
        let device = Arc::new(LiveDevice::new(name, &self.limits));
        devices.by_name.insert(name.to_owned(), Arc::clone(&device));
        device
    }

    /// Makes `handle` the session of `device`, unless a newer one stands; the older one is ended.
    pub(crate) fn attach(&self, device: &LiveDevice, handle: SessionHandle) -> bool {
        let mut session = lock(&device.session);
        if let Some(standing) = session.as_ref() {
            if standing.epoch >= handle.epoch {
                return false;
            }
            standing.mailbox.end(EndReason::Superseded);
        } else {
            self.session_count.fetch_add(1, Ordering::Relaxed);
        }
        *session = Some(handle);
        true
    }

    /// Ends the session with this epoch; a newer one is left alone. Returns whether it stood.
    pub(crate) fn detach(&self, device: &LiveDevice, epoch: u64) -> bool {
        {
            let mut session = lock(&device.session);
            if session.as_ref().is_none_or(|standing| standing.epoch != epoch) {
                return false;
            }
            *session = None;
        }
        self.session_count.fetch_sub(1, Ordering::Relaxed);
        let mut devices = lock(&self.devices);
        devices.departed.push_back(device.name.clone());
        while devices.departed.len() > limits::DEPARTED_DEVICES_MAX
            && let Some(name) = devices.departed.pop_front()
        {
            let gone = devices.by_name.get(&name).is_some_and(|old| old.session().is_none());
            if gone && !devices.departed.contains(&name) {
                devices.by_name.remove(&name);
            }
        }
        true
    }

    /// Forgets a device whose object was deleted.
    pub(crate) fn forget(&self, name: &str) {
        let device = lock(&self.devices).by_name.get(name).cloned();
        let Some(device) = device else { return };
        match device.session() {
            Some(session) => session.mailbox.end(EndReason::Deleted),
            None => {
                lock(&self.devices).by_name.remove(name);
            }
        }
    }

    /// Sessions that stand.
    pub(crate) fn session_count(&self) -> usize {
        self.session_count.load(Ordering::Relaxed)
    }

    /// Has the session of one device look at the cluster's state again.
    pub(crate) fn review(&self, name: &str) {
        if let Some(session) = self.find(name).and_then(|device| device.session()) {
            session.mailbox.review();
        }
    }

    /// Has every session look at the cluster's state again.
    pub(crate) fn review_all(&self) {
        for device in self.all() {
            if let Some(session) = device.session() {
                session.mailbox.review();
            }
        }
    }

    /// Every device that is known here.
    pub(crate) fn all(&self) -> Vec<Arc<LiveDevice>> {
        lock(&self.devices).by_name.values().cloned().collect()
    }
}
