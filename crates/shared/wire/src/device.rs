//! What a device says.

use minicbor::{Decode, Encode};

use crate::codes::{CommandOutcome, GuestReason, GuestState, ResetReason};
use crate::ids::{AppId, Digest};
use crate::limits;
use crate::seq::Seq;

/// What the board can hold, as its firmware was built.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Budget {
    /// Bytes of RAM shared by all guests: code, memory, stack and tables.
    #[n(0)]
    pub arena_bytes: u32,
    /// Bytes of one image slot.
    #[n(1)]
    pub slot_bytes: u32,
    /// Image slots in the flash, the spare one for updates included.
    #[n(2)]
    pub slots: u8,
    /// Guests that can be installed at once.
    #[n(3)]
    pub guests: u8,
}

/// Why the last run ended, where a handler could still say so.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct FaultRecord {
    /// Program counter of the fault or of the caller of the panic.
    #[n(0)]
    pub pc: u32,
    /// Link register, or the line of the panic.
    #[n(1)]
    pub lr: u32,
    /// Configurable fault status register; 0 for a panic.
    #[n(2)]
    pub cfsr: u32,
    /// Faulting address where the processor knows it.
    #[n(3)]
    pub address: u32,
}

/// First message of every session: what this device is. It claims nothing about who it is; the key
/// of the TLS handshake does.
///
/// # Source
/// docs/protocol.md, "Hello", message 0x01, since protocol version 1.0.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Hello<'b> {
    /// Board name as in `boards/`.
    #[b(0)]
    pub board: &'b str,
    /// Firmware version.
    #[b(1)]
    pub firmware: &'b str,
    /// SHA-256 of the device tree blob the firmware was built from.
    #[n(2)]
    pub dtb_digest: Digest,
    /// Oldest minor version the device speaks.
    #[n(3)]
    pub minor_min: u8,
    /// Newest minor version the device speaks.
    #[n(4)]
    pub minor_max: u8,
    /// What fits on the board.
    #[n(5)]
    pub budget: Budget,
    /// Starts since the journal was made, this one included.
    #[n(6)]
    pub boot_count: u32,
    /// Why it started this time.
    #[n(7)]
    pub reset_reason: ResetReason,
    /// Where it stopped, after a panic or a fault.
    #[n(8)]
    pub fault: Option<FaultRecord>,
    /// Namespace it was provisioned for.
    #[b(9)]
    pub namespace: &'b str,
    /// Image format the engine executes.
    #[n(10)]
    pub image_format: u8,
    /// Highest session epoch it has seen; 0 before the first.
    #[n(11)]
    pub last_epoch: u64,
}

/// Asks to become a Device, after the gateway answered Hello with EnrollRequired.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Enroll<'b> {
    /// Token of the provisioning record; absent asks for the pairing window.
    #[b(0)]
    pub token: Option<&'b str>,
}

/// Totals since boot, apart from `uptime_ms`. Each is counted where the thing happens.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Counters {
    /// Bytes received from the transport, TLS included.
    #[n(0)]
    pub rx_bytes: u64,
    /// Bytes given to the transport, TLS included.
    #[n(1)]
    pub tx_bytes: u64,
    /// TLS handshakes completed.
    #[n(2)]
    pub handshakes: u32,
    /// Messages decoded from the gateway.
    #[n(3)]
    pub messages: u32,
    /// Journal stores that succeeded.
    #[n(4)]
    pub journal_stores: u32,
    /// Log lines thrown away because the queue was full.
    #[n(5)]
    pub logs_dropped: u32,
    /// Telemetry samples thrown away because the queue was full.
    #[n(6)]
    pub telemetry_dropped: u32,
    /// Time slices given to guests.
    #[n(7)]
    pub slices: u32,
    /// Traps of guests.
    #[n(8)]
    pub traps: u32,
    /// Bytes of the arena in use now.
    #[n(9)]
    pub arena_used_bytes: u32,
    /// Deepest use of the firmware's stack in bytes; absent where it is not painted.
    #[n(10)]
    pub stack_high_water_bytes: Option<u32>,
    /// Image slots that hold no image now.
    #[n(11)]
    pub slots_free: u8,
    /// Messages to the gateway thrown away because the queue was full; absent before minor 1.
    #[n(12)]
    pub messages_dropped: Option<u32>,
}

/// One guest's totals since it was started.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct GuestCounters {
    /// Which.
    #[n(0)]
    pub app: AppId,
    /// Fuel consumed, in source operators.
    #[n(1)]
    pub fuel: u64,
    /// Time slices received.
    #[n(2)]
    pub slices: u32,
    /// Host functions called.
    #[n(3)]
    pub host_calls: u32,
    /// Starts after a failure.
    #[n(4)]
    pub restarts: u32,
}

/// Sent at the interval the gateway asked for: the device lives, and what it counted.
#[derive(Clone, Copy, Debug, Decode, Encode, PartialEq)]
#[cbor(map)]
pub struct Heartbeat<'b> {
    /// Milliseconds since boot.
    #[n(0)]
    pub uptime_ms: u64,
    /// Totals of the device.
    #[n(1)]
    pub counters: Counters,
    /// Totals of each guest.
    #[b(2)]
    pub guests: Seq<'b, GuestCounters, { limits::APPS_PER_DEVICE_MAX }>,
}

/// The state of one guest: sent at each change, and for all of them after Welcome.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct StateReport {
    /// Which.
    #[n(0)]
    pub app: AppId,
    /// Generation of the manifest the device holds.
    #[n(1)]
    pub generation: u64,
    /// Digest of the image the device holds; absent before one is known.
    #[n(2)]
    pub image: Option<Digest>,
    /// Where it stands.
    #[n(3)]
    pub state: GuestState,
    /// Why.
    #[n(4)]
    pub reason: GuestReason,
    /// Starts after a failure since it was installed.
    #[n(5)]
    pub restarts: u32,
    /// For a trap: index of the function in the WebAssembly module.
    #[n(6)]
    pub function: Option<u32>,
    /// For a trap: byte offset in the lowered code of that function.
    #[n(7)]
    pub offset: Option<u32>,
    /// For a refusal by size: what was needed, in bytes.
    #[n(8)]
    pub needed_bytes: Option<u32>,
    /// For a refusal by size: what was there, in bytes.
    #[n(9)]
    pub available_bytes: Option<u32>,
    /// Exit code, where the guest ended itself.
    #[n(10)]
    pub exit_code: Option<i32>,
    /// RAM that the guest takes now, in bytes; absent before minor 1 and where it takes none.
    #[n(11)]
    pub memory_bytes: Option<u32>,
    /// Fuel consumed since the guest's start, in source operators; absent before minor 1.
    #[n(12)]
    pub fuel: Option<u64>,
    /// Milliseconds until the device starts a failed guest again; absent if it will not.
    #[n(13)]
    pub backoff_ms: Option<u32>,
}

/// One line a guest wrote.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Log<'b> {
    /// Which guest.
    #[n(0)]
    pub app: AppId,
    /// Number of the line since boot, those dropped included: a gap is a loss.
    #[n(1)]
    pub sequence: u32,
    /// Milliseconds since boot when it was written.
    #[n(2)]
    pub uptime_ms: u64,
    /// The text; bytes as the guest gave them, so not always UTF-8.
    #[cbor(b(3), with = "minicbor::bytes")]
    pub text: &'b [u8],
}

/// One sample a guest published.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Telemetry<'b> {
    /// Which guest.
    #[n(0)]
    pub app: AppId,
    /// Number of the sample since boot, those dropped included: a gap is a loss.
    #[n(1)]
    pub sequence: u32,
    /// Milliseconds since boot when it was published.
    #[n(2)]
    pub uptime_ms: u64,
    /// What was measured.
    #[b(3)]
    pub topic: &'b str,
    /// The value; its unit belongs to the topic.
    #[n(4)]
    pub value: i64,
}

/// What a guest sent to whoever receives its topic; guests of the same device got it already.
///
/// # Source
/// docs/protocol.md, "Message", message 0x09, since protocol version 1.1.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Message<'b> {
    /// Which guest.
    #[n(0)]
    pub app: AppId,
    /// Number of the message since boot, those dropped included: a gap is a loss.
    #[n(1)]
    pub sequence: u32,
    /// Milliseconds since boot when it was sent.
    #[n(2)]
    pub uptime_ms: u64,
    /// What it is about.
    #[b(3)]
    pub topic: &'b str,
    /// The message; bytes as the guest gave them, at most [`limits::PAYLOAD_BYTES_MAX`].
    #[cbor(b(4), with = "minicbor::bytes")]
    pub payload: &'b [u8],
}

/// What became of the command with this id.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct CommandResult {
    /// Id of the command.
    #[n(0)]
    pub id: u64,
    /// What became of it.
    #[n(1)]
    pub outcome: CommandOutcome,
    /// Milliseconds since boot when it was carried out.
    #[n(2)]
    pub uptime_ms: u64,
    /// For Deliver: guests that have the message in their queue.
    #[n(3)]
    pub receivers: Option<u8>,
}

/// Asks for the image bytes from `offset` on. One is outstanding at a time per device.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct InstallRequest {
    /// Which application.
    #[n(0)]
    pub app: AppId,
    /// Generation announced in DesiredState.
    #[n(1)]
    pub generation: u64,
    /// First byte wanted; absent asks for the manifest.
    #[n(2)]
    pub offset: Option<u32>,
}
