//! Code and arena of a guest without slices: what the innermost loop reads and writes at every
//! instruction.
//!
//! Besides the assembly core this is the only file of the crate with `unsafe` code. It relies on
//! verified code, which `Instance::run` sees to: slots are inside the frame, globals exist, branches
//! lead to instructions, and behind each instruction a whole window can be read. What verified code
//! does not promise is checked here or by the loop: addresses of linear memory, and the depth of the
//! stack.
#![expect(unsafe_code, reason = "bounds checks on every slot cost half of the speed")]
use crate::limits::WINDOW_BYTES;
use core::marker::PhantomData;
use core::ops::AddAssign;
use wasmbed_image::{Header, Image};

/// Bytes behind an address below [`RawArena::memory_bound`] that exist: any 8-bit offset, and 8 more.
pub(crate) const MEMORY_REACH: u32 = 255 + 8 - 1;

/// The arena of a guest, while the loop runs. Nothing else can reach it meanwhile.
pub(crate) struct RawArena<'a> {
    base: *mut u8,
    globals: *mut u8,
    memory: *mut u8,
    /// Addresses below it may have any 8-bit offset without a further look.
    memory_bound: u32,
    memory_bytes: u32,
    borrowed: PhantomData<&'a mut [u8]>,
}

/// The beginning of a frame, or of the record of a call.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Frame<'a> {
    start: *mut u8,
    borrowed: PhantomData<&'a RawArena<'a>>,
}

/// A place in the code.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    at: *const u8,
    borrowed: PhantomData<&'a [u8]>,
}

impl<'a> Code<'a> {
    /// The place `offset` bytes into the code.
    #[inline(always)]
    pub(crate) fn new(image: &Image<'a>, offset: usize) -> Self {
        Code { at: image.code().as_ptr().wrapping_add(offset), borrowed: PhantomData }
    }

    /// How far into the code of `image` it is.
    #[inline(always)]
    pub(crate) fn offset(self, image: &Image<'a>) -> usize {
        self.at.addr().wrapping_sub(image.code().as_ptr().addr())
    }

    /// What begins there.
    #[inline(always)]
    pub(crate) fn window(self) -> &'a [u8; WINDOW_BYTES] {
        // SAFETY: verified code is followed by the padding that the window of its last instruction
        // needs, only instructions are looked at, and an array of bytes needs no alignment.
        unsafe { &*self.at.cast() }
    }

    /// The 16 bits so many bytes behind, inside the window.
    #[inline(always)]
    pub(crate) fn half(self, at: usize) -> u16 {
        // SAFETY: as for the window; read at once, which reading two bytes is not.
        u16::from_le_bytes(unsafe { self.at.wrapping_add(at).cast::<[u8; 2]>().read() })
    }

    /// The 32 bits so many bytes behind, inside the window.
    #[inline(always)]
    pub(crate) fn constant(self, at: usize) -> u32 {
        // SAFETY: as for the window; read at once, which reading four bytes is not.
        u32::from_le_bytes(unsafe { self.at.wrapping_add(at).cast::<[u8; 4]>().read() })
    }

    /// The operation of an opcode that does not exist.
    #[inline(always)]
    pub(crate) fn impossible(self) -> ! {
        // SAFETY: verified code has no such opcode.
        unsafe { core::hint::unreachable_unchecked() }
    }

    /// The place so many bytes before.
    #[inline(always)]
    pub(crate) fn back(self, bytes: usize) -> Self {
        Code { at: self.at.wrapping_sub(bytes), ..self }
    }

    /// The place so many bytes behind or, for negative numbers, before.
    #[inline(always)]
    pub(crate) fn shifted(self, bytes: isize) -> Self {
        Code { at: self.at.wrapping_offset(bytes), ..self }
    }
}

impl AddAssign<usize> for Code<'_> {
    #[inline(always)]
    fn add_assign(&mut self, bytes: usize) {
        self.at = self.at.wrapping_add(bytes);
    }
}

impl<'a> RawArena<'a> {
    /// The arena with the layout that `header` tells, if it is as long as that.
    pub(crate) fn new(header: &Header, arena: &'a mut [u8], memory_bytes: u32) -> Option<Self> {
        let stack_bytes = header.stack_bytes as usize;
        let memory_start = usize::try_from(header.memory_offset()).ok()?;
        let end = memory_start.checked_add(memory_bytes as usize)?;
        if end > arena.len() {
            return None;
        }
        let base = arena.as_mut_ptr();
        Some(RawArena {
            base,
            globals: base.wrapping_add(stack_bytes),
            memory: base.wrapping_add(memory_start),
            memory_bound: memory_bytes.saturating_sub(MEMORY_REACH),
            memory_bytes,
            borrowed: PhantomData,
        })
    }

    /// The beginning of the stack, and so of the arena.
    #[cfg(thumb_core)]
    pub(crate) fn stack(&self) -> *mut u8 {
        self.base
    }

    /// The first word of the globals.
    #[cfg(thumb_core)]
    pub(crate) fn globals(&self) -> *mut u8 {
        self.globals
    }

    /// The first byte of linear memory.
    #[cfg(thumb_core)]
    pub(crate) fn memory(&self) -> *mut u8 {
        self.memory
    }

    /// See [`RawArena::memory_bound`].
    #[cfg(thumb_core)]
    pub(crate) fn memory_bound(&self) -> u32 {
        self.memory_bound
    }

    /// Bytes of linear memory.
    #[cfg(thumb_core)]
    pub(crate) fn memory_bytes(&self) -> u32 {
        self.memory_bytes
    }

    /// The frame, or the record of a call, that begins `offset` bytes into the stack.
    #[inline(always)]
    pub(crate) fn frame(&self, offset: usize) -> Frame<'a> {
        Frame { start: self.base.wrapping_add(offset), borrowed: PhantomData }
    }

    /// How far into the stack `frame` begins.
    #[inline(always)]
    pub(crate) fn offset(&self, frame: Frame<'_>) -> usize {
        frame.start.addr().wrapping_sub(self.base.addr())
    }

    /// A word of the globals.
    #[inline(always)]
    pub(crate) fn global(&self, index: u16) -> u32 {
        // SAFETY: `new` found stack and globals inside the arena, and verified code names globals
        // that exist.
        unsafe { read(self.globals.wrapping_add(usize::from(index) * 4)) }
    }

    /// Replaces a word of the globals.
    #[inline(always)]
    pub(crate) fn set_global(&mut self, index: u16, value: u32) {
        // SAFETY: `new` found stack and globals inside the arena, and verified code names globals
        // that exist.
        unsafe { write(self.globals.wrapping_add(usize::from(index) * 4), value) }
    }

    /// Bytes of linear memory at an address with an offset, which together have 33 bits.
    #[inline(always)]
    fn at<const BYTES: usize>(&self, address: u32, offset: u32) -> Option<*mut [u8; BYTES]> {
        let (start, has_carry) = address.overflowing_add(offset);
        // Which of the two is known where the operand is: one comparison is left.
        let is_inside = match offset {
            0..=255 => address < self.memory_bound,
            _ => !has_carry && start < self.memory_bound,
        };
        if !is_inside && !self.is_inside(address, offset, BYTES as u32) {
            return None;
        }
        Some(self.memory.wrapping_add(start as usize).cast())
    }

    /// The exact check, for the end of the memory.
    #[cold]
    #[inline(never)]
    fn is_inside(&self, address: u32, offset: u32, bytes: u32) -> bool {
        let last = self.memory_bytes.checked_sub(bytes).and_then(|last| last.checked_sub(offset));
        last.is_some_and(|last| address <= last)
    }

    #[inline(always)]
    fn load<const BYTES: usize>(&self, address: u32, offset: u32) -> Option<[u8; BYTES]> {
        let bytes = self.at(address, offset)?;
        // SAFETY: `at` gives places inside the memory only, and an array of bytes needs no alignment.
        Some(unsafe { bytes.read() })
    }

    #[inline(always)]
    fn store<const BYTES: usize>(
        &mut self,
        address: u32,
        offset: u32,
        value: [u8; BYTES],
    ) -> Option<()> {
        let bytes = self.at(address, offset)?;
        // SAFETY: `at` gives places inside the memory only, and an array of bytes needs no alignment.
        unsafe { bytes.write(value) };
        Some(())
    }
}

impl Frame<'_> {
    /// The frame that begins at `start`.
    ///
    /// # Safety
    /// It must be in an arena that the caller holds, and only slots of it may be named.
    #[cfg(thumb_core)]
    pub(crate) unsafe fn at(start: *mut u8) -> Self {
        Frame { start, borrowed: PhantomData }
    }

    /// The frame or record so many words behind.
    #[inline(always)]
    pub(crate) fn above(self, words: usize) -> Self {
        Frame { start: self.start.wrapping_add(words * 4), ..self }
    }

    /// The record so many words before.
    #[inline(always)]
    pub(crate) fn below(self, words: usize) -> Self {
        Frame { start: self.start.wrapping_sub(words * 4), ..self }
    }

    /// The word in a slot.
    #[inline(always)]
    pub(crate) fn word(self, slot: impl Into<u16>) -> u32 {
        // SAFETY: verified code names slots of its frame, which was found to fit when it was opened.
        unsafe { read(self.start.wrapping_add(usize::from(slot.into()) * 4)) }
    }

    /// Replaces the word in a slot.
    #[inline(always)]
    pub(crate) fn set_word(self, slot: impl Into<u16>, value: u32) {
        // SAFETY: verified code names slots of its frame, which was found to fit when it was opened.
        unsafe { write(self.start.wrapping_add(usize::from(slot.into()) * 4), value) }
    }

    /// The two words from a slot on, as one value.
    #[inline(always)]
    pub(crate) fn long(self, slot: u8) -> u64 {
        u64::from(self.word(slot)) | u64::from(self.word(u16::from(slot) + 1)) << 32
    }

    /// Replaces the two words from a slot on.
    #[inline(always)]
    pub(crate) fn set_long(self, slot: u8, low: u32, high: u32) {
        self.set_word(slot, low);
        self.set_word(u16::from(slot) + 1, high);
    }

    /// Sets words to 0, from a slot on.
    #[inline(always)]
    pub(crate) fn clear(self, first: u16, words: u16) {
        for slot in first..first.saturating_add(words) {
            self.set_word(slot, 0);
        }
    }
}

/// # Safety
/// Four bytes at `place` must be inside an arena that the caller holds.
#[inline(always)]
unsafe fn read(place: *mut u8) -> u32 {
    // SAFETY: the caller promises the four bytes; an array of bytes needs no alignment.
    u32::from_le_bytes(unsafe { place.cast::<[u8; 4]>().read() })
}

/// # Safety
/// Four bytes at `place` must be inside an arena that the caller holds.
#[inline(always)]
unsafe fn write(place: *mut u8, value: u32) {
    // SAFETY: the caller promises the four bytes; an array of bytes needs no alignment.
    unsafe { place.cast::<[u8; 4]>().write(value.to_le_bytes()) }
}

/// The loads and stores of the opcode table.
macro_rules! accesses {
    (
        loads { $($load:ident |$bytes:ident| $value:expr;)* }
        stores { $($store:ident($ty:ty) |$stored:ident| $stored_bytes:expr;)* }
    ) => {
        $(
            #[inline(always)]
            pub(crate) fn $load(arena: &RawArena<'_>, address: u32, offset: u32) -> Option<u32> {
                arena.load(address, offset).map(|$bytes| $value)
            }
        )*
        $(
            #[inline(always)]
            pub(crate) fn $store(
                arena: &mut RawArena<'_>,
                address: u32,
                offset: u32,
                $stored: $ty,
            ) -> Option<()> {
                arena.store(address, offset, $stored_bytes)
            }
        )*
    };
}

accesses! {
    loads {
        load32 |bytes| u32::from_le_bytes(bytes);
        load8_s |bytes| i8::from_le_bytes(bytes) as u32;
        load8_u |bytes| u8::from_le_bytes(bytes).into();
        load16_s |bytes| i16::from_le_bytes(bytes) as u32;
        load16_u |bytes| u16::from_le_bytes(bytes).into();
    }
    stores {
        store8(u32) |value| [value as u8];
        store16(u32) |value| (value as u16).to_le_bytes();
        store32(u32) |value| value.to_le_bytes();
        store64(u64) |value| value.to_le_bytes();
    }
}

#[inline(always)]
pub(crate) fn load64(arena: &RawArena<'_>, address: u32, offset: u32) -> Option<u64> {
    arena.load(address, offset).map(u64::from_le_bytes)
}
