//! What calls of the module `wasmbed` answer. A call that answers a count or bytes answers the
//! negated number of these instead where it cannot.

/// Done.
pub const OK: u32 = 0;

/// There was no room: what was to be sent or kept is lost, and counted as such.
pub const DROPPED: u32 = 1;

/// Not granted for this topic, pin, address or size, or no argument that the call can take.
pub const REFUSED: u32 = 2;

/// The hardware or the storage failed.
pub const FAILED: u32 = 3;

/// The board has none, nothing is kept under the key, or no device answers at the address.
pub const NOT_THERE: u32 = 4;

/// Nothing happened in time.
pub const TIMEOUT: u32 = 5;

/// More often than was granted.
pub const TOO_OFTEN: u32 = 6;

/// The target is too small; nothing was copied, and nothing is lost.
pub const TOO_SMALL: u32 = 7;

/// The guest shall end: it does not wait any longer.
pub const STOPPING: u32 = 8;

/// The same, as the result of a call that answers a count.
pub const fn negated(status: u32) -> u32 {
    0_u32.wrapping_sub(status)
}
