//! Where a batch and its records lie in the file that is a board's PSRAM.
//!
//! # Layout
//! Little-endian words. The head: [`MAGIC`], [`VERSION`], number of items. Items follow it. At
//! [`RECORDS`]: the number of words recorded so far, then the records. Behind [`ARENA`] guests work
//! that are too large for the board's own RAM.

/// First word of a batch.
pub const MAGIC: u32 = u32::from_le_bytes(*b"WBEB");

/// Changes with every change of a batch or its records.
pub const VERSION: u32 = 2;

/// Bytes of the head.
pub const HEAD_BYTES: usize = 12;

/// Bytes of the file: all of the PSRAM of the MPS2 boards.
pub const FILE_BYTES: usize = 16 << 20;

/// Where records begin: what lies before is enough for some thousand items.
pub const RECORDS: usize = 4 << 20;

/// Where the room for large guests begins, and records end.
pub const ARENA: usize = 6 << 20;

/// Bytes beside a guest's arena that are watched for writes.
pub const CANARY_BYTES: usize = 2048;

/// Bytes of the largest arena: all behind [`ARENA`], with canaries and room for any alignment.
pub const ARENA_BYTES_MAX: usize = FILE_BYTES - ARENA - 2 * CANARY_BYTES - 64;
