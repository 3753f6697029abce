//! The seam between a guest and what it imports.

/// What a guest imports, done by the caller of the engine.
pub trait Host {
    /// Does the call with number `import` of `abi`.
    ///
    /// `memory` is the guest's whole linear memory; see [`guest_slice`] for taking a part of it.
    fn call(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome;
}

/// What became of a host call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostOutcome {
    /// It is done. The result is 0 for a call without one, and 32 bits wide for an `i32`.
    Return(u64),
    /// It waits: the guest stays in the call until [`crate::Instance::complete`].
    Park,
    /// It ends the guest with this code.
    Exit(u32),
    /// Its arguments make no sense: the guest traps.
    Trap,
}

/// Arguments of a host call, in words of 32 bits. An `i64` is two words, the low one first.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
}

impl<'a> Args<'a> {
    /// The arguments that lie in `bytes`, little endian.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Args { bytes }
    }

    /// The word at `index`; 0 behind the last one.
    pub fn word(&self, index: usize) -> u32 {
        let bytes = self.bytes.get(index.saturating_mul(4)..).and_then(|tail| tail.first_chunk());
        bytes.copied().map_or(0, u32::from_le_bytes)
    }

    /// The 64 bits whose low word is at `index`.
    pub fn long(&self, index: usize) -> u64 {
        u64::from(self.word(index)) | u64::from(self.word(index + 1)) << 32
    }
}

/// The part of a guest's memory that a pointer and a length mean, if all of it exists.
pub fn guest_slice(memory: &[u8], pointer: u32, bytes: u32) -> Option<&[u8]> {
    memory.get(pointer as usize..)?.get(..bytes as usize)
}
