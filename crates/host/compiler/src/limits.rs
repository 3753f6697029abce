//! Bounds on foreign input of this crate.

/// Longest module that is looked at: a hundred times what the largest board can hold.
pub const MODULE_BYTES_MAX: usize = 16 << 20;

/// Words of globals that a module may have: an instruction names one in 16 bits.
pub const GLOBAL_WORDS_MAX: usize = u16::MAX as usize;

/// Words of parameters that a function may have: its header names the first local in 8 bits, and a
/// wide frame has four words of scratch before that.
pub const PARAMETER_WORDS_MAX: u32 = 250;

/// Slots that a frame may have: a return address holds the distance of two frames in 12 bits.
pub const FRAME_SLOTS_MAX: u32 = 4095;

/// Elements that a table in RAM may have at the start: 4 MB of them, more than any board has.
pub const TABLE_ELEMENTS_MAX: u64 = 1 << 20;

/// Elements up to which a table that code grows has the room that it declares, where no other limit
/// is stated: 1 KB of RAM.
pub const TABLE_GROWTH_ELEMENTS: u32 = 256;

/// Tables in RAM that a module may have: an instruction names one in 8 bits.
pub const TABLES_MAX: u64 = 256;

/// Stack that calls in a circle may take where no limit is stated, in bytes. Chosen: some dozens of
/// nested calls with frames of ordinary size.
pub const RECURSION_STACK_BYTES: u32 = 4096;

/// Nested calls in a circle that the stack has room for at least, where no limit is stated.
pub const RECURSION_DEPTH_MIN: u32 = 16;

/// Nested calls in a circle that the image header can say.
pub const RECURSION_DEPTH_MAX: u32 = u16::MAX as u32;
