//! What a device says.

use wasmbed_cbor::records;

use crate::codes::{CommandOutcome, GuestReason, GuestState, ResetReason};
use crate::ids::{AppId, Digest};
use crate::limits;
use crate::seq::Seq;

records! {
    /// What the board can hold, as its firmware was built.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Budget {
        /// Bytes of RAM shared by all guests: code, memory, stack and tables.
        0 => arena_bytes: u32,
        /// Bytes of one image slot.
        1 => slot_bytes: u32,
        /// Image slots in the flash, the spare one for updates included.
        2 => slots: u8,
        /// Guests that can be installed at once.
        3 => guests: u8,
    }

    /// Why the last run ended, where a handler could still say so.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct FaultRecord {
        /// Program counter of the fault, or of where the loop was stuck; 0 where it is not known.
        0 => pc: u32,
        /// Link register, or the line of the panic.
        1 => lr: u32,
        /// Configurable fault status register; 0 for a panic.
        2 => cfsr: u32,
        /// Faulting address where the processor knows it.
        3 => address: u32,
        /// Hard fault status register; 0 for a panic. Absent before minor 1.
        4 => hfsr: Option<u32>,
    }

    /// First message of every session: what this device is. It claims nothing about who it is; the key
    /// of the TLS handshake does.
    ///
    /// # Source
    /// docs/protocol.md, "Hello", message 0x01, since protocol version 1.0.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Hello<'b> {
        /// Board name as in `boards/`.
        0 => board: &'b str,
        /// Firmware version.
        1 => firmware: &'b str,
        /// SHA-256 of the device tree blob the firmware was built from.
        2 => dtb_digest: Digest,
        /// Oldest minor version the device speaks.
        3 => minor_min: u8,
        /// Newest minor version the device speaks.
        4 => minor_max: u8,
        /// What fits on the board.
        5 => budget: Budget,
        /// Starts since the journal was made, this one included.
        6 => boot_count: u32,
        /// Why it started this time.
        7 => reset_reason: ResetReason,
        /// Where it stopped, after a panic or a fault.
        8 => fault: Option<FaultRecord>,
        /// Namespace it was provisioned for.
        9 => namespace: &'b str,
        /// Image format the engine executes.
        10 => image_format: u8,
        /// Highest session epoch it has seen; 0 before the first.
        11 => last_epoch: u64,
        /// What of the host interface was linked in: a bit for the number of each capability, and
        /// [`HOST_WASI`](crate::HOST_WASI). Absent before minor 1: all of it.
        12 => host_calls: Option<u32>,
    }

    /// Asks to become a Device, after the gateway answered Hello with EnrollRequired.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Enroll<'b> {
        /// Token of the provisioning record; absent asks for the pairing window.
        0 => token: Option<&'b str>,
    }

    /// Totals since boot, apart from `uptime_ms`. Each is counted where the thing happens.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Counters {
        /// Bytes received from the transport, TLS included.
        0 => rx_bytes: u64,
        /// Bytes given to the transport, TLS included.
        1 => tx_bytes: u64,
        /// TLS handshakes completed.
        2 => handshakes: u32,
        /// Messages decoded from the gateway.
        3 => messages: u32,
        /// Journal stores that succeeded.
        4 => journal_stores: u32,
        /// Log lines thrown away because the queue was full.
        5 => logs_dropped: u32,
        /// Telemetry samples thrown away because the queue was full.
        6 => telemetry_dropped: u32,
        /// Time slices given to guests.
        7 => slices: u32,
        /// Traps of guests.
        8 => traps: u32,
        /// Bytes of the arena in use now.
        9 => arena_used_bytes: u32,
        /// Deepest use of the firmware's stack in bytes; absent where it is not painted.
        10 => stack_high_water_bytes: Option<u32>,
        /// Image slots that hold no image now.
        11 => slots_free: u8,
        /// Messages to the gateway thrown away because the queue was full; absent before minor 1.
        12 => messages_dropped: Option<u32>,
    }

    /// One guest's totals since it was started.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct GuestCounters {
        /// Which.
        0 => app: AppId,
        /// Fuel consumed, in source operators; absent where it is not counted.
        1 => fuel: Option<u64>,
        /// Time slices received.
        2 => slices: u32,
        /// Host functions called.
        3 => host_calls: u32,
        /// Starts after a failure.
        4 => restarts: u32,
    }

    /// Sent at the interval the gateway asked for: the device lives, and what it counted.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Heartbeat<'b> {
        /// Milliseconds since boot.
        0 => uptime_ms: u64,
        /// Totals of the device.
        1 => counters: Counters,
        /// Totals of each guest.
        2 => guests: Seq<'b, GuestCounters, { limits::APPS_PER_DEVICE_MAX }>,
    }

    /// The state of one guest: sent at each change, and for all of them after Welcome.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct StateReport {
        /// Which.
        0 => app: AppId,
        /// Generation of the manifest the device holds.
        1 => generation: u64,
        /// Digest of the image the device holds; absent before one is known.
        2 => image: Option<Digest>,
        /// Where it stands.
        3 => state: GuestState,
        /// Why.
        4 => reason: GuestReason,
        /// Starts after a failure since it was installed.
        5 => restarts: u32,
        /// For a trap: index of the function in the WebAssembly module.
        6 => function: Option<u32>,
        /// For a trap: byte offset in the code section of the image.
        7 => offset: Option<u32>,
        /// For a refusal by size: what was needed, in bytes.
        8 => needed_bytes: Option<u32>,
        /// For a refusal by size: what was there, in bytes.
        9 => available_bytes: Option<u32>,
        /// Exit code, where the guest ended itself.
        10 => exit_code: Option<i32>,
        /// RAM that the guest takes now, in bytes; absent before minor 1 and where it takes none.
        11 => memory_bytes: Option<u32>,
        /// Fuel consumed since the guest's start, in source operators; absent before minor 1.
        12 => fuel: Option<u64>,
        /// Milliseconds until the device starts a failed guest again; absent if it will not.
        13 => backoff_ms: Option<u32>,
    }

    /// One line a guest wrote.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Log<'b> {
        /// Which guest.
        0 => app: AppId,
        /// Number of the line since boot, those dropped included: a gap is a loss.
        1 => sequence: u32,
        /// Milliseconds since boot when it was written.
        2 => uptime_ms: u64,
        /// The text; bytes as the guest gave them, so not always UTF-8.
        3 => text: &'b [u8],
    }

    /// One sample a guest published.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Telemetry<'b> {
        /// Which guest.
        0 => app: AppId,
        /// Number of the sample since boot, those dropped included: a gap is a loss.
        1 => sequence: u32,
        /// Milliseconds since boot when it was published.
        2 => uptime_ms: u64,
        /// What was measured.
        3 => topic: &'b str,
        /// The value; its unit belongs to the topic.
        4 => value: i64,
    }

    /// What a guest sent to whoever receives its topic; guests of the same device got it already.
    ///
    /// # Source
    /// docs/protocol.md, "Message", message 0x09, since protocol version 1.1.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Message<'b> {
        /// Which guest.
        0 => app: AppId,
        /// Number of the message since boot, those dropped included: a gap is a loss.
        1 => sequence: u32,
        /// Milliseconds since boot when it was sent.
        2 => uptime_ms: u64,
        /// What it is about.
        3 => topic: &'b str,
        /// The message; bytes as the guest gave them, at most [`limits::PAYLOAD_BYTES_MAX`].
        4 => payload: &'b [u8],
    }

    /// What became of the command with this id.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct CommandResult {
        /// Id of the command.
        0 => id: u64,
        /// What became of it.
        1 => outcome: CommandOutcome,
        /// Milliseconds since boot when it was carried out.
        2 => uptime_ms: u64,
        /// For Deliver: guests that have the message in their queue.
        3 => receivers: Option<u8>,
    }

    /// Asks for the image bytes from `offset` on. One is outstanding at a time per device.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct InstallRequest {
        /// Which application.
        0 => app: AppId,
        /// Generation announced in DesiredState.
        1 => generation: u64,
        /// First byte wanted; absent asks for the manifest.
        2 => offset: Option<u32>,
    }
}
