//! Bounds of everything that crosses a serial line, each with its reason.

/// Most data bytes in one flash request or answer: reading costs 80 us a byte, so larger ones would
/// hold the loop of a device for more than 40 ms.
pub const FLASH_DATA_BYTES_MAX: usize = 512;

/// Bytes of a flash segment: one block of common file systems, so the host hardly tears it.
pub const FLASH_SEGMENT_BYTES: u32 = 4096;

/// Tries of a flash request before the driver gives up: each is one time-out of the port long, and a
/// restarted server is back within a few.
pub const FLASH_TRIES_MAX: u8 = 12;

/// Most payload in one frame of the uplink: 6 % of a frame is overhead then, and a buffer of that
/// size still fits a board of 8 KB.
pub const UPLINK_PAYLOAD_BYTES_MAX: usize = 128;

/// Bytes that a device may have under way to the host: a few TLS records, so that it never waits
/// for a host that is awake.
pub const HOST_WINDOW_BYTES: u16 = 8192;

/// Smallest receive window of a device: what is reserved for control, and a session frame with 15
/// bytes.
pub const WINDOW_BYTES_MIN: u16 = 64;

/// Largest receive window of a device: counters of 16 bits stay unambiguous.
pub const WINDOW_BYTES_MAX: u16 = 16_384;

/// Bytes that a device may say in a session which the host knows to have ended, before it is told so
/// again: less than one heartbeat of the protocol takes.
pub const UNHEEDED_BYTES_MAX: usize = 32;
