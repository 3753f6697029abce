//! What the device says next in an open session, in the order of importance: results of commands,
//! states, heartbeat, install requests, telemetry, logs. Encodes one frame at a time.

use wasmbed_wire::{
    CommandResult, DeviceMessage, EncodeError, GuestCounters, GuestState, Heartbeat, Log, Message,
    Seq, Telemetry, encode_frame,
};

use crate::core_state::{CommandEntry, Core};
use crate::guests::Guest;
use crate::platform::Platform;
use crate::queue::Kind;

/// Bytes of the length prefix.
const PREFIX_BYTES: usize = wasmbed_wire::limits::FRAME_HEADER_BYTES;

/// Bytes of the longest frame.
pub const FRAME_BYTES_MAX: usize = PREFIX_BYTES + wasmbed_wire::limits::FRAME_BODY_BYTES_MAX;

/// Writes `message` as a frame into `target`; answers its bytes.
pub fn frame(message: &DeviceMessage<'_>, target: &mut [u8]) -> Result<usize, EncodeError> {
    let body = target.get_mut(PREFIX_BYTES..).ok_or(EncodeError::BufferTooSmall)?;
    let body_bytes = message.encode(body)?.len();
    let frame = encode_frame(target, body_bytes).ok_or(EncodeError::BufferTooSmall)?;
    Ok(frame.len())
}

/// When the session's own messages are due.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Whether a heartbeat has to be sent now.
    pub is_heartbeat: bool,
}

/// What was put into the frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// Nothing is due.
    Nothing,
    /// A frame of this many bytes.
    Frame(usize),
    /// The same, and it is the heartbeat.
    Heartbeat(usize),
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Writes the next frame into `target`.
    pub fn next_frame<P: Platform>(
        &mut self,
        due: Due,
        now_ms: u64,
        target: &mut [u8],
        platform: &mut P,
    ) -> Sent {
        if let Some(bytes) = self.next_result(target).or_else(|| self.next_report(target)) {
            return Sent::Frame(bytes);
        }
        if due.is_heartbeat {
            return Sent::Heartbeat(self.heartbeat(now_ms, target, platform));
        }
        if self.install.is_request_due && self.is_desired_known {
            self.install.is_request_due = false;
            self.install.asked_at_ms = now_ms;
            let request = DeviceMessage::InstallRequest(self.install.request());
            return sent(frame(&request, target));
        }
        self.next_queued(target)
    }

    #[inline(never)]
    fn next_result(&mut self, target: &mut [u8]) -> Option<usize> {
        let entry = self.results.iter_mut().filter(|e| e.is_due).min_by_key(|e| e.id)?;
        entry.is_due = false;
        let CommandEntry { id, outcome, uptime_ms, receivers, .. } = *entry;
        let result = CommandResult { id, outcome, uptime_ms, receivers };
        frame(&DeviceMessage::CommandResult(result), target).ok()
    }

    #[inline(never)]
    fn next_report(&mut self, target: &mut [u8]) -> Option<usize> {
        if let Some(guest) = self.guests.iter_mut().find(|g| g.is_held && g.is_report_due) {
            guest.is_report_due = false;
            let report = guest.report(self.now_ms);
            if guest.state == GuestState::Removed {
                *guest = Guest::EMPTY;
            }
            return frame(&DeviceMessage::StateReport(report), target).ok();
        }
        if self.install.is_report_due {
            self.install.is_report_due = false;
            return frame(&DeviceMessage::StateReport(self.install.report()), target).ok();
        }
        let refusal = self.refusals.iter_mut().find(|r| r.is_held && r.is_report_due)?;
        refusal.is_report_due = false;
        frame(&DeviceMessage::StateReport(refusal.report()), target).ok()
    }

    #[inline(never)]
    fn next_queued(&mut self, target: &mut [u8]) -> Sent {
        if !self.takes_messages {
            self.drop_messages_to_gateway();
        }
        let Some(record) = self.queue.next() else { return Sent::Nothing };
        let (app, sequence, uptime_ms) = (record.app, record.sequence, record.uptime_ms);
        let result = match (record.kind, core::str::from_utf8(record.payload)) {
            (Kind::Telemetry, Ok(topic)) => {
                let value = record.value;
                let sample = Telemetry { app, sequence, uptime_ms, topic, value };
                frame(&DeviceMessage::Telemetry(sample), target)
            }
            (Kind::Message, _) => {
                let (topic, payload) = record.message();
                let topic = core::str::from_utf8(topic).unwrap_or_default();
                let message = Message { app, sequence, uptime_ms, topic, payload };
                frame(&DeviceMessage::Message(message), target)
            }
            (_, _) => {
                let log = Log { app, sequence, uptime_ms, text: record.payload };
                frame(&DeviceMessage::Log(log), target)
            }
        };
        if record.kind == Kind::Message && result.is_err() {
            // Longer than the buffer for outgoing frames, which a small board has.
            self.queue.count_lost_message();
        }
        self.queue.drop_next();
        sent(result)
    }

    /// Writes a heartbeat. If not all guests fit, as many as do, and the rest next time.
    #[inline(never)]
    fn heartbeat<P: Platform>(
        &mut self,
        now_ms: u64,
        target: &mut [u8],
        platform: &mut P,
    ) -> usize {
        self.counters.logs_dropped = self.queue.logs_dropped;
        self.counters.telemetry_dropped = self.queue.telemetry_dropped;
        self.counters.messages_dropped = Some(self.queue.messages_dropped);
        self.counters.arena_used_bytes = self.arena_used_bytes();
        self.counters.slots_free = self.slots_free();
        self.counters.stack_high_water_bytes = platform.stack_high_water_bytes();
        let mut guests = [NO_GUEST; GUESTS];
        let mut count = 0;
        for offset in 0..GUESTS {
            let index = (self.heartbeat_turn + offset) % GUESTS;
            if let Some(guest) = self.guests.get(index).filter(|guest| guest.is_held)
                && let Some(entry) = guests.get_mut(count)
            {
                *entry = counters_of(guest);
                count += 1;
            }
        }
        loop {
            let beat = Heartbeat {
                uptime_ms: now_ms,
                counters: self.counters,
                guests: Seq::Items(guests.get(..count).unwrap_or_default()),
            };
            match frame(&DeviceMessage::Heartbeat(beat), target) {
                Ok(bytes) => {
                    self.heartbeat_turn = (self.heartbeat_turn + count) % GUESTS;
                    return bytes;
                }
                Err(EncodeError::BufferTooSmall) if count > 0 => count -= 1,
                Err(EncodeError::BufferTooSmall) => return 0,
            }
        }
    }
}

const NO_GUEST: GuestCounters = GuestCounters {
    app: wasmbed_wire::AppId([0; 16]),
    fuel: None,
    slices: 0,
    host_calls: 0,
    restarts: 0,
};

/// What a guest counted.
pub fn counters_of(guest: &Guest) -> GuestCounters {
    GuestCounters {
        app: guest.app,
        fuel: guest.fuel(),
        slices: guest.slices,
        host_calls: guest.host_calls,
        restarts: guest.restarts,
    }
}

fn sent(result: Result<usize, EncodeError>) -> Sent {
    result.map_or(Sent::Nothing, Sent::Frame)
}
