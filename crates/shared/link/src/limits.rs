//! Bounds of everything that crosses a serial line, each with its reason.

/// Most data bytes in one flash request or answer: reading costs 80 us a byte, so larger ones would
/// hold the loop of a device for more than 40 ms.
pub const FLASH_DATA_BYTES_MAX: usize = 512;

/// Bytes of a flash segment: one block of common file systems, so the host hardly tears it.
pub const FLASH_SEGMENT_BYTES: u32 = 4096;

/// Tries of a flash request before the driver gives up: each is one time-out of the port long, and a
/// restarted server is back within a few.
pub const FLASH_TRIES_MAX: u8 = 12;
