//! Numbers of WASI preview 1 that the imports of that module use.
//!
//! # Source
//! WebAssembly/WASI, legacy/preview1, witx, "typenames".

/// Done.
pub const SUCCESS: u32 = 0;

/// What was asked for is not there now, and may be later.
pub const AGAIN: u32 = 6;

/// No such descriptor.
pub const BADF: u32 = 8;

/// Interrupted: the guest shall end.
pub const INTR: u32 = 27;

/// An argument that the call does not know.
pub const INVAL: u32 = 28;

/// The device failed.
pub const IO: u32 = 29;

/// Not supported here.
pub const NOTSUP: u32 = 58;

/// The descriptor has no position.
pub const SPIPE: u32 = 70;

/// Clock of the wall.
pub const CLOCK_REALTIME: u32 = 0;

/// Clock that never goes back.
pub const CLOCK_MONOTONIC: u32 = 1;

/// Descriptor of the standard input.
pub const STDIN: u32 = 0;

/// Highest descriptor there is: the standard error output.
pub const STDERR: u32 = 2;

/// Bytes of one subscription of `poll_oneoff`.
///
/// # Layout
/// 0x00 user data, 0x08 kind, 0x10 clock, 0x18 timeout in ns, 0x20 precision, 0x28 flags.
pub const SUBSCRIPTION_BYTES: u32 = 48;

/// Kind of a subscription: a clock.
pub const EVENT_CLOCK: u8 = 0;

/// Flag of a clock subscription: the timeout is a time, not a duration.
pub const CLOCK_ABSTIME: u16 = 1;

/// Bytes of one event of `poll_oneoff`.
///
/// # Layout
/// 0x00 user data, 0x08 errno, 0x0a kind, 0x10 what only descriptors have.
pub const EVENT_BYTES: u32 = 32;

/// Bytes of what `fd_fdstat_get` answers.
///
/// # Layout
/// 0x00 file type, 0x02 flags, 0x08 rights, 0x10 inherited rights.
pub const FDSTAT_BYTES: u32 = 24;

/// File type of a terminal or another stream of characters.
pub const CHARACTER_DEVICE: u8 = 2;

/// Right to read.
pub const RIGHT_READ: u64 = 1 << 1;

/// Right to write.
pub const RIGHT_WRITE: u64 = 1 << 6;
