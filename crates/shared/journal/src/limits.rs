//! Bounds of the journal, each with the reason for its number.

/// Bytes of one log segment: one block of the host's file system, so hardly torn by the host, and
/// a mount stays below 0.2 s over a serial line.
pub const SEGMENT_BYTES: u32 = 4096;

/// Keys of the log: an index of two bytes each is the only memory the journal holds.
pub const KEYS: usize = 48;

/// Longest value. A provisioning record with two pins of each kind needs about 300 bytes.
pub const VALUE_BYTES_MAX: usize = 320;

/// Bytes of one image slot: the largest image of a board, its manifest included.
pub const SLOT_BYTES: u32 = 65_536;

/// Image slots at most: their commit records take this many keys.
pub const SLOTS_MAX: u8 = 16;

/// First key of the commit records of the image slots; keys below and above are the caller's.
pub const SLOT_KEY_FIRST: u8 = 8;

/// Bytes that a caller may keep with an image: an identifier, a generation and a few numbers.
pub const NOTE_BYTES_MAX: usize = 54;

/// Longest single read or program: what one frame to a flash behind a serial line carries.
pub const REQUEST_BYTES_MAX: usize = 512;

/// Segment that the flash erases at once.
pub const ERASE_BYTES: u32 = 4096;
