//! Bounds on what a board file may ask for.

/// Files open at a time through includes: vendor trees nest five deep, a loop nests for ever.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// Nesting of nodes and of parentheses: the parser recurses, and no board comes near it.
pub const NESTING_MAX: usize = 64;

/// Bytes of one source file: the largest vendor file is under a megabyte.
pub const SOURCE_BYTES_MAX: u64 = 4 << 20;

/// Bytes of all files of a board together: the largest tree of ours reads 20 KB; a file that
/// includes itself twice at each of 16 levels would read gigabytes.
pub const SOURCES_BYTES_MAX: u64 = 16 << 20;

/// Uses of names given by `#define`: names that stand for two others each double at every step.
pub const EXPANSIONS_MAX: u32 = 100_000;
