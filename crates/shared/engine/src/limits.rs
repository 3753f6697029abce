//! Bounds of this crate.

/// Bytes that are read from the code at once: the longest instruction, a 64-bit constant, rounded
/// up. The code section ends with as many bytes of padding less one.
pub const WINDOW_BYTES: usize = 10;

/// Words that a call puts on the stack beside its frame: where to go on, and the caller's frame.
pub const RECORD_WORDS: u16 = 2;

/// Bytes of the same.
pub const RECORD_BYTES: usize = RECORD_WORDS as usize * 4;

/// Bytes that a bulk memory operation moves before it looks at the stop flag: at three
/// instructions a byte this keeps a slice within a thirtieth of the promised bound.
pub const BULK_BYTES_MAX: u32 = 2048;

/// Elements that a bulk table operation moves before it looks at the stop flag.
pub const BULK_ELEMENTS_MAX: u32 = BULK_BYTES_MAX / 4;

/// Fuel that is handed to the innermost loop at once; it counts in 32 bits.
pub const FUEL_PORTION: u64 = 1 << 30;
