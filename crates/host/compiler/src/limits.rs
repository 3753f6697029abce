//! Bounds on foreign input of this crate.

/// Longest module that is looked at: a hundred times what the largest board can hold.
pub const MODULE_BYTES_MAX: usize = 16 << 20;

/// Words of globals that a module may have: an instruction names one in 8 bits.
pub const GLOBAL_WORDS_MAX: usize = 256;

/// Words of parameters that a function may have: its header names the first local in 8 bits, and a
/// wide frame has four words of scratch before that.
pub const PARAMETER_WORDS_MAX: u32 = 250;

/// Slots that a frame may have: a return address holds the distance of two frames in 12 bits.
pub const FRAME_SLOTS_MAX: u32 = 4095;

/// Table elements that a module may have: the image header counts them in 16 bits.
pub const TABLE_ELEMENTS_MAX: u64 = u16::MAX as u64;
