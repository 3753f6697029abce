//! Bounds of the runtime, each with the reason for its number.

/// Guests that one device can hold at most: what one desired state message may list.
pub const GUESTS_MAX: usize = wasmbed_wire::limits::APPS_PER_DEVICE_MAX;

/// Bytes that the queue of log lines, telemetry and messages must have: the longest message with its
/// head.
pub const QUEUE_BYTES_MIN: usize = 336;

/// Bytes of the arena that a guest can take beside its image and what the engine needs: both are
/// rounded up to 8.
pub const GUEST_OVERHEAD_BYTES: u32 = 16;

/// Longest run of a guest before the loop looks after the session again. Chosen: at 25 MHz it is
/// 225,000 instructions, and the rest of a step keeps below the bound of 240,000; a line of 115,200
/// baud brings about 105 bytes meanwhile, which the ring behind it still holds.
pub const SLICE_US: u32 = 9_000;

/// Bytes that a slot keeps before the image: manifest length, manifest, signature.
pub const SLOT_HEAD_BYTES_MAX: usize = 2 + image_manifest_bytes() + SIGNATURE_BYTES;

/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

const fn image_manifest_bytes() -> usize {
    wasmbed_wire::limits::MANIFEST_BYTES_MAX
}

/// Largest image: what is left of a slot.
pub const IMAGE_BYTES_MAX: u32 = wasmbed_journal::limits::SLOT_BYTES - SLOT_HEAD_BYTES_MAX as u32;

/// Bytes that one step reads from the flash while it loads an image: one request.
pub const LOAD_PIECE_BYTES: usize = wasmbed_journal::limits::REQUEST_BYTES_MAX;

/// Results of commands that are kept: a gateway sends one command after the other, so the last one
/// and the one before cover what a lost session leaves.
pub const COMMAND_RESULTS: usize = 2;

/// Generations in one value of the journal: few keys, and a value that one request still carries.
pub const GENERATIONS_PER_KEY: usize = 8;

/// Keys of the generation table: 64 applications in the life of a device. Full, it takes 1.6 KB of
/// a log segment, which leaves as much for everything else.
pub const GENERATION_KEYS: u8 = 8;

/// Values that all guests of a device can keep: what is left of the journal's keys.
pub const VALUES_MAX: u8 = 16;

/// Bytes of the log that the values of guests may take, with what is added to each. Chosen: what is
/// left beside the fullest state of everything else and one record that is being replaced.
pub const VALUES_BYTES_MAX: u32 = 960;

/// Bytes that the journal and the runtime add to each kept value: record head, application, and the
/// length of the key.
pub const VALUE_OVERHEAD_BYTES: u32 = 10 + 16 + 1;

/// Messages that wait for one guest at most; a newer one is lost for it. Chosen: a guest that does
/// not receive must not fill the queue.
pub const MESSAGES_PER_GUEST_MAX: usize = 4;

/// Milliseconds between two looks at buttons and serial lines while a guest waits for them. Chosen:
/// no press of a finger is shorter.
pub const POLL_MS: u64 = 10;

/// How long a guest that asks whether it shall end may take to do so; after it, it is killed.
pub const STOP_GRACE_MS: u64 = 2_000;

/// Random bytes that one call takes at a time: the source may be a serial line.
pub const RANDOM_PIECE_BYTES: usize = 64;

/// First wait before a new connection. Chosen: a restarted gateway is back in about this time.
pub const RECONNECT_MS_MIN: u32 = 250;

/// Longest wait before a new connection, so that a fleet is back within two minutes.
pub const RECONNECT_MS_MAX: u32 = 60_000;

/// Longest time from a connection to the end of the handshake: ten times what the slowest board
/// needs.
pub const HANDSHAKE_MS_MAX: u64 = 20_000;

/// Longest wait for the answer to Hello or Enroll.
pub const ANSWER_MS_MAX: u64 = 15_000;

/// Longest time that bytes may wait for the transport to take them.
pub const STALL_MS_MAX: u64 = 30_000;

/// Longest wait for a connection that the transport was asked for.
pub const CONNECT_MS_MAX: u64 = 30_000;

/// How long the transport may take to send the last bytes and close; after it, the connection is
/// taken for lost.
pub const CLOSE_MS_MAX: u64 = 5_000;

/// Longest time without an answer to an install request before it is sent again.
pub const INSTALL_ANSWER_MS_MAX: u64 = 5_000;

/// Heartbeat interval used when the gateway names none between these.
pub const HEARTBEAT_MS_MIN: u32 = 100;

/// Upper bound of the heartbeat interval; a slower one would be taken for a lost device.
pub const HEARTBEAT_MS_MAX: u32 = 600_000;

/// First wait before a guest that failed is started again.
pub const RESTART_MS_MIN: u32 = 1_000;

/// Longest wait before a guest that failed is started again.
pub const RESTART_MS_MAX: u32 = 300_000;

/// Wait before an image is taken again that the storage failed to keep. Chosen: a flash server that
/// restarts is back in a few seconds.
pub const STORAGE_RETRY_MS: u64 = 30_000;

/// A guest that ran this long without failing is healthy: its back-off starts anew and the image
/// before it may go. Chosen: an error that shows at start shows within it.
pub const HEALTHY_MS: u64 = 10_000;

/// Wall-clock seconds between two stores of the last known time: once a day spares the flash.
pub const TIME_STORE_S: u64 = 86_400;

/// A board with no more guests than this has little flash: of the host interface it has only
/// [`SMALL_CAPABILITIES`], and not WASI.
pub const SMALL_GUESTS: usize = 2;

/// Capabilities of a board whose flash has no room for all of them, one bit each. Kept values are not
/// among them: storing one while the journal is compacted takes more stack than such a board has.
pub const SMALL_CAPABILITIES: u32 = {
    use wasmbed_abi::Capability::{Clock, Log, Receive, Send, Telemetry, Timer};
    let basic = Log.bit() | Clock.bit() | Timer.bit() | Telemetry.bit();
    basic | Send.bit() | Receive.bit()
};
