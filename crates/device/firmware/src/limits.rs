//! Sizes of the firmware's own buffers, each with its reason. What guests get is in the board file.

/// True on a board with the whole host interface.
pub const IS_LARGE: bool = crate::board::GUEST_COUNT_MAX > wasmbed_runtime::limits::SMALL_GUESTS;

/// Bytes queued for the console: a boot's worth of lines, so that they never wait for the line.
#[cfg(board_uplink = "ethernet")]
pub const CONSOLE_SEND_BYTES: usize = 1024;

/// Bytes that arrived on the flash line: an answer is taken as it comes, and this covers the time
/// that other interrupts take.
pub const STORAGE_RECEIVE_BYTES: usize = if IS_LARGE { 256 } else { 32 };

/// Bytes queued for the flash line: a request's head goes at once, its data as the line takes it.
pub const STORAGE_SEND_BYTES: usize = if IS_LARGE { 256 } else { 16 };

/// Random bytes kept ready: the line refills them while they are used.
#[cfg(board_entropy = "serial")]
pub const ENTROPY_RECEIVE_BYTES: usize = if IS_LARGE { 65 } else { 9 };

/// Bytes that wait on the port of the guests, each way: at 115,200 baud about 20 ms, so that a
/// guest which is looked after once in a slice of 10 ms misses nothing.
#[cfg(board_guest_uart = "serial")]
pub const GUEST_UART_BYTES: usize = 257;

/// Microseconds without a byte before a serial source counts as silent. Chosen: QEMU hands over a
/// byte in 80 us, and a busy host may stop it for tens of milliseconds.
pub const SILENCE_US: u64 = 200_000;

/// Bytes of the TCP receive buffer. The controller drops what exceeds its FIFO of 10 KB, so the
/// window must stay well below it.
#[cfg(board_uplink = "ethernet")]
pub const TCP_RECEIVE_BYTES: usize = 4096;

/// Bytes of the TCP send buffer: a few records of the session.
#[cfg(board_uplink = "ethernet")]
pub const TCP_SEND_BYTES: usize = 2048;

/// Bytes of one Ethernet frame without its checksum.
#[cfg(board_uplink = "ethernet")]
pub const FRAME_BYTES: usize = 1514;

/// Longest time that the loop sleeps although nothing is due.
pub const SLEEP_MS_MAX: u64 = 60_000;

/// Bytes of log lines and telemetry that wait for the gateway.
pub const QUEUE_BYTES: usize =
    if IS_LARGE { 4096 } else { wasmbed_runtime::limits::QUEUE_BYTES_MIN };

/// Receive window of the uplink: what the host may have under way. Chosen: half of it is a session
/// frame, the other half control frames, and the line's pauses are shorter than either.
#[cfg(board_uplink = "serial")]
pub const UPLINK_WINDOW_BYTES: u16 = 96;

/// Bytes of the uplink's receive ring: the window, 16 for what does not count, and the one that a
/// ring never uses.
#[cfg(board_uplink = "serial")]
pub const UPLINK_RECEIVE_BYTES: usize = UPLINK_WINDOW_BYTES as usize + 17;

/// Bytes queued for the uplink; longer frames wait for the line.
#[cfg(board_uplink = "serial")]
pub const UPLINK_SEND_BYTES: usize = if IS_LARGE { 32 } else { 16 };

/// Most session bytes in one frame: what the window allows beside control frames.
#[cfg(board_uplink = "serial")]
pub const UPLINK_PAYLOAD_BYTES: usize = 48;

/// Faults in a row that are followed by an immediate start. Chosen: one or two may be the guest's or
/// the network's bad luck.
pub const STREAK_WITHOUT_PAUSE: u32 = 3;

/// Pause after the first fault beyond those; it doubles each time.
pub const PAUSE_US: u64 = 1_000_000;

/// Longest pause. Chosen: a new firmware or a repaired line is noticed within a minute.
pub const PAUSE_US_MAX: u64 = 60_000_000;

/// Milliseconds of running after which faults are counted anew. Chosen: several heartbeats.
pub const SETTLED_MS: u64 = 60_000;

/// Seconds without a turn of the loop after which the firmware is stuck. Chosen: the longest turns
/// are those that wait for a flash server which is gone, five seconds each, and an emulator that gets
/// a twentieth of a processor takes a second for the cryptography of one.
pub const STUCK_SECONDS: u32 = 16;
