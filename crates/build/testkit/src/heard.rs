//! What a simulated gateway heard, free of the buffers it lay in.

use wasmbed_wire::{
    AppId, CommandResult, Counters, DeviceMessage, GuestCounters, InstallRequest, StateReport,
};

/// A heartbeat.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Milliseconds since boot.
    pub uptime_ms: u64,
    /// Totals of the device.
    pub counters: Counters,
    /// Totals of its guests.
    pub guests: Vec<GuestCounters>,
}

/// One message of a device.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "fields are those of the messages in `wire`")]
pub enum Heard {
    /// Hello, with what the tests look at.
    Hello {
        board: String,
        namespace: String,
        boot_count: u32,
        reset_reason: wasmbed_wire::ResetReason,
        last_epoch: u64,
        budget: wasmbed_wire::Budget,
    },
    /// Enroll.
    Enroll { token: Option<String> },
    /// Heartbeat.
    Heartbeat(Beat),
    /// State of a guest.
    Report(StateReport),
    /// Log line.
    Log { app: AppId, sequence: u32, uptime_ms: u64, text: String },
    /// Sample.
    Telemetry { app: AppId, sequence: u32, topic: String, value: i64 },
    /// What a guest sent.
    Message { app: AppId, sequence: u32, topic: String, payload: Vec<u8> },
    /// Result of a command.
    Result(CommandResult),
    /// Request for a part of an image.
    Request(InstallRequest),
}

impl Heard {
    pub(crate) fn from_message(message: &DeviceMessage<'_>) -> Self {
        match message {
            DeviceMessage::Hello(hello) => Self::Hello {
                board: hello.board.into(),
                namespace: hello.namespace.into(),
                boot_count: hello.boot_count,
                reset_reason: hello.reset_reason,
                last_epoch: hello.last_epoch,
                budget: hello.budget,
            },
            DeviceMessage::Enroll(enroll) => {
                Self::Enroll { token: enroll.token.map(str::to_owned) }
            }
            DeviceMessage::Heartbeat(beat) => Self::Heartbeat(Beat {
                uptime_ms: beat.uptime_ms,
                counters: beat.counters,
                guests: beat.guests.iter().collect(),
            }),
            DeviceMessage::StateReport(report) => Self::Report(*report),
            DeviceMessage::Log(log) => Self::Log {
                app: log.app,
                sequence: log.sequence,
                uptime_ms: log.uptime_ms,
                text: String::from_utf8_lossy(log.text).into_owned(),
            },
            DeviceMessage::Telemetry(sample) => Self::Telemetry {
                app: sample.app,
                sequence: sample.sequence,
                topic: sample.topic.into(),
                value: sample.value,
            },
            DeviceMessage::Message(message) => Self::Message {
                app: message.app,
                sequence: message.sequence,
                topic: message.topic.into(),
                payload: message.payload.into(),
            },
            DeviceMessage::CommandResult(result) => Self::Result(*result),
            DeviceMessage::InstallRequest(request) => Self::Request(*request),
        }
    }
}
