//! Checked access to slots, globals and linear memory. All values are little endian.
//!
//! A slot that does not exist reads as 0 and ignores writes: verified code names none, so this is
//! only what keeps unverified code harmless.

/// The word at byte `start`.
#[inline(always)]
pub(crate) fn word(bytes: &[u8], start: usize) -> u32 {
    match bytes.get(start..).and_then(|tail| tail.first_chunk()) {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

/// Replaces the word at byte `start`.
#[inline(always)]
pub(crate) fn set_word(bytes: &mut [u8], start: usize, value: u32) {
    if let Some(word) = bytes.get_mut(start..).and_then(|tail| tail.first_chunk_mut()) {
        *word = value.to_le_bytes();
    }
}

/// The two words at byte `start`, as one value.
#[inline(always)]
pub(crate) fn long(bytes: &[u8], start: usize) -> u64 {
    u64::from(word(bytes, start)) | u64::from(word(bytes, start + 4)) << 32
}

/// Bytes of linear memory at an address with an offset, which together have 33 bits.
#[inline(always)]
fn load<const BYTES: usize>(memory: &[u8], address: u32, offset: u32) -> Option<[u8; BYTES]> {
    let start = address.checked_add(offset)? as usize;
    memory.get(start..)?.first_chunk().copied()
}

#[inline(always)]
fn store<const BYTES: usize>(
    memory: &mut [u8],
    address: u32,
    offset: u32,
    value: [u8; BYTES],
) -> Option<()> {
    let start = address.checked_add(offset)? as usize;
    *memory.get_mut(start..)?.first_chunk_mut()? = value;
    Some(())
}

#[inline(always)]
pub(crate) fn load32(memory: &[u8], address: u32, offset: u32) -> Option<u32> {
    load(memory, address, offset).map(u32::from_le_bytes)
}

#[inline(always)]
pub(crate) fn load8_s(memory: &[u8], address: u32, offset: u32) -> Option<u32> {
    load(memory, address, offset).map(|bytes| i8::from_le_bytes(bytes) as u32)
}

#[inline(always)]
pub(crate) fn load8_u(memory: &[u8], address: u32, offset: u32) -> Option<u32> {
    load(memory, address, offset).map(|[byte]| u32::from(byte))
}

#[inline(always)]
pub(crate) fn load16_s(memory: &[u8], address: u32, offset: u32) -> Option<u32> {
    load(memory, address, offset).map(|bytes| i16::from_le_bytes(bytes) as u32)
}

#[inline(always)]
pub(crate) fn load16_u(memory: &[u8], address: u32, offset: u32) -> Option<u32> {
    load(memory, address, offset).map(|bytes| u32::from(u16::from_le_bytes(bytes)))
}

#[inline(always)]
pub(crate) fn load64(memory: &[u8], address: u32, offset: u32) -> Option<u64> {
    load(memory, address, offset).map(u64::from_le_bytes)
}

#[inline(always)]
pub(crate) fn store8(memory: &mut [u8], address: u32, offset: u32, value: u32) -> Option<()> {
    store(memory, address, offset, [value as u8])
}

#[inline(always)]
pub(crate) fn store16(memory: &mut [u8], address: u32, offset: u32, value: u32) -> Option<()> {
    store(memory, address, offset, (value as u16).to_le_bytes())
}

#[inline(always)]
pub(crate) fn store32(memory: &mut [u8], address: u32, offset: u32, value: u32) -> Option<()> {
    store(memory, address, offset, value.to_le_bytes())
}

#[inline(always)]
pub(crate) fn store64(memory: &mut [u8], address: u32, offset: u32, value: u64) -> Option<()> {
    store(memory, address, offset, value.to_le_bytes())
}
