//! Bounds on what a board file may ask for.

/// Files open at a time through includes: vendor trees nest five deep, a loop nests for ever.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// Nesting of nodes and of parentheses: the parser recurses, and no board comes near it.
pub const NESTING_MAX: usize = 64;

/// Bytes of one source file: the largest vendor file is under a megabyte.
pub const SOURCE_BYTES_MAX: u64 = 4 << 20;
