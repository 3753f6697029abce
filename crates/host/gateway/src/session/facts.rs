//! What a device said, in a form that outlives its frame.

use wasmbed_wire::{
    AppId, Budget, Counters, Digest, FaultRecord, GuestCounters, Heartbeat, Hello, Log, Message,
    ResetReason, Telemetry,
};

/// What a device said of itself when the session began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HelloFacts {
    pub(crate) board: String,
    pub(crate) firmware: String,
    pub(crate) dtb_digest: Digest,
    pub(crate) minor_max: u8,
    pub(crate) budget: Budget,
    pub(crate) boot_count: u32,
    pub(crate) reset_reason: ResetReason,
    pub(crate) fault: Option<FaultRecord>,
    pub(crate) image_format: u8,
    pub(crate) last_epoch: u64,
    /// Bits of what the firmware offers to guests; absent where it does not say.
    pub(crate) host_calls: Option<u32>,
}

impl HelloFacts {
    /// Minor version of the session: the newest that both speak.
    pub(crate) fn minor(&self) -> u8 {
        self.minor_max.min(wasmbed_wire::MINOR)
    }
}

impl From<&Hello<'_>> for HelloFacts {
    fn from(hello: &Hello<'_>) -> Self {
        Self {
            board: hello.board.to_owned(),
            firmware: hello.firmware.to_owned(),
            dtb_digest: hello.dtb_digest,
            minor_max: hello.minor_max,
            budget: hello.budget,
            boot_count: hello.boot_count,
            reset_reason: hello.reset_reason,
            fault: hello.fault,
            image_format: hello.image_format,
            last_epoch: hello.last_epoch,
            host_calls: hello.host_calls,
        }
    }
}

/// What a device counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeartbeatFacts {
    pub(crate) uptime_ms: u64,
    pub(crate) counters: Counters,
    pub(crate) guests: Vec<GuestCounters>,
}

impl From<&Heartbeat<'_>> for HeartbeatFacts {
    fn from(heartbeat: &Heartbeat<'_>) -> Self {
        Self {
            uptime_ms: heartbeat.uptime_ms,
            counters: heartbeat.counters,
            guests: heartbeat.guests.iter().collect(),
        }
    }
}

/// One line a guest wrote. Text that is not UTF-8 is kept readable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LogFacts {
    pub(crate) app: AppId,
    pub(crate) device_sequence: u32,
    pub(crate) uptime_ms: u64,
    pub(crate) text: Box<str>,
}

impl From<&Log<'_>> for LogFacts {
    fn from(log: &Log<'_>) -> Self {
        Self {
            app: log.app,
            device_sequence: log.sequence,
            uptime_ms: log.uptime_ms,
            text: String::from_utf8_lossy(log.text).into(),
        }
    }
}

/// One sample a guest published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TelemetryFacts {
    pub(crate) app: AppId,
    pub(crate) device_sequence: u32,
    pub(crate) uptime_ms: u64,
    pub(crate) topic: Box<str>,
    pub(crate) value: i64,
}

impl From<&Telemetry<'_>> for TelemetryFacts {
    fn from(sample: &Telemetry<'_>) -> Self {
        Self {
            app: sample.app,
            device_sequence: sample.sequence,
            uptime_ms: sample.uptime_ms,
            topic: sample.topic.into(),
            value: sample.value,
        }
    }
}

/// What one guest sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MessageFacts {
    pub(crate) app: AppId,
    pub(crate) device_sequence: u32,
    pub(crate) uptime_ms: u64,
    pub(crate) topic: Box<str>,
    pub(crate) payload: Box<[u8]>,
}

impl From<&Message<'_>> for MessageFacts {
    fn from(message: &Message<'_>) -> Self {
        Self {
            app: message.app,
            device_sequence: message.sequence,
            uptime_ms: message.uptime_ms,
            topic: message.topic.into(),
            payload: message.payload.into(),
        }
    }
}
