//! A guest's arena without slices: what the innermost loop reads and writes at every instruction.
//!
//! This is the only file of the crate with `unsafe` code. It does not rely on verified code: every
//! function here is sound for any argument. A slot needs no check of its own, because a frame
//! exists only where a whole [`FRAME_WINDOW_BYTES`] of arena lie behind its beginning, and an 8-bit
//! number cannot name what lies beyond.
#![expect(unsafe_code, reason = "bounds checks on every slot cost half of the speed")]
use crate::limits::WINDOW_BYTES;
use core::marker::PhantomData;
use wasmbed_image::Header;
use wasmbed_image::limits::FRAME_WINDOW_BYTES;

/// The arena of a guest, while the loop runs. Nothing else can reach it meanwhile.
pub(crate) struct RawArena<'a> {
    base: *mut u8,
    arena_bytes: usize,
    stack_bytes: usize,
    global_words: u16,
    memory: *mut u8,
    memory_bytes: u32,
    borrowed: PhantomData<&'a mut [u8]>,
}

/// The beginning of a frame, with at least [`FRAME_WINDOW_BYTES`] of the arena behind it.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    start: *mut u8,
    borrowed: PhantomData<&'a RawArena<'a>>,
}

/// The code section, read one window at a time.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    bytes: &'a [u8],
    /// The last offset with a whole window behind it.
    last: usize,
}

impl<'a> Code<'a> {
    /// The code, if there is any: it ends with the padding that the last window needs.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Code { bytes, last: bytes.len().checked_sub(WINDOW_BYTES)? })
    }

    /// What begins at `offset`.
    #[inline(always)]
    pub(crate) fn window(&self, offset: usize) -> Option<&'a [u8; WINDOW_BYTES]> {
        if offset > self.last {
            return None;
        }
        // SAFETY: a whole window lies behind every offset up to `last`, by its definition, and an
        // array of bytes needs no alignment.
        Some(unsafe { &*self.bytes.as_ptr().add(offset).cast() })
    }
}

impl<'a> RawArena<'a> {
    /// The arena with the layout that `header` tells, if it is as long as that.
    pub(crate) fn new(header: &Header, arena: &'a mut [u8], memory_bytes: u32) -> Option<Self> {
        let stack_bytes = header.stack_bytes as usize;
        let memory_start = stack_bytes.checked_add(usize::from(header.global_words) * 4)?;
        let end = memory_start.checked_add(memory_bytes as usize)?;
        if end > arena.len() {
            return None;
        }
        let arena_bytes = arena.len();
        let base = arena.as_mut_ptr();
        // SAFETY: `memory_start` is at most `end`, which was just found to be inside the arena.
        let memory = unsafe { base.add(memory_start) };
        let global_words = header.global_words;
        let borrowed = PhantomData;
        Some(RawArena {
            base,
            arena_bytes,
            stack_bytes,
            global_words,
            memory,
            memory_bytes,
            borrowed,
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
        self.base.wrapping_add(self.stack_bytes)
    }

    /// The first byte of linear memory.
    #[cfg(thumb_core)]
    pub(crate) fn memory(&self) -> *mut u8 {
        self.memory
    }

    /// Bytes of linear memory.
    #[cfg(thumb_core)]
    pub(crate) fn memory_bytes(&self) -> u32 {
        self.memory_bytes
    }

    /// The frame that begins `offset` bytes into the stack, if the arena is long enough for one.
    #[inline(always)]
    pub(crate) fn frame(&self, offset: usize) -> Option<Frame<'a>> {
        if offset > self.arena_bytes.checked_sub(FRAME_WINDOW_BYTES)? {
            return None;
        }
        // SAFETY: `offset` is inside the arena, as just found.
        let start = unsafe { self.base.add(offset) };
        Some(Frame { start, borrowed: PhantomData })
    }

    /// How far into the stack `frame` begins.
    #[inline(always)]
    pub(crate) fn offset(&self, frame: Frame<'_>) -> usize {
        frame.start.addr().wrapping_sub(self.base.addr())
    }

    /// The word at `offset` in the stack: a return address, or a slot beyond a frame's window.
    #[inline(always)]
    pub(crate) fn stack_word(&self, offset: usize) -> Option<u32> {
        if offset > self.stack_bytes.checked_sub(4)? {
            return None;
        }
        // SAFETY: the four bytes at `offset` are inside the stack, which is inside the arena.
        Some(unsafe { read(self.base.add(offset)) })
    }

    /// Replaces the word at `offset` in the stack.
    #[inline(always)]
    pub(crate) fn set_stack_word(&mut self, offset: usize, value: u32) -> Option<()> {
        if offset > self.stack_bytes.checked_sub(4)? {
            return None;
        }
        // SAFETY: the four bytes at `offset` are inside the stack, which is inside the arena.
        unsafe { write(self.base.add(offset), value) };
        Some(())
    }

    /// Sets words of the stack to 0, from `offset` on.
    #[inline(always)]
    pub(crate) fn clear(&mut self, offset: usize, words: u16) -> Option<()> {
        let bytes = usize::from(words) * 4;
        if offset.checked_add(bytes)? > self.stack_bytes {
            return None;
        }
        // SAFETY: the range ends inside the stack, which is inside the arena.
        unsafe { self.base.add(offset).write_bytes(0, bytes) };
        Some(())
    }

    /// A word of the globals, 0 if there is none.
    #[inline(always)]
    pub(crate) fn global(&self, index: u16) -> u32 {
        if index >= self.global_words {
            return 0;
        }
        // SAFETY: `new` found stack and globals inside the arena, and the word is a global.
        unsafe { read(self.base.add(self.stack_bytes + usize::from(index) * 4)) }
    }

    /// Replaces a word of the globals; one that does not exist stays so.
    #[inline(always)]
    pub(crate) fn set_global(&mut self, index: u16, value: u32) {
        if index < self.global_words {
            // SAFETY: `new` found stack and globals inside the arena, and the word is a global.
            unsafe { write(self.base.add(self.stack_bytes + usize::from(index) * 4), value) }
        }
    }

    /// Bytes of linear memory at an address with an offset, which together have 33 bits.
    #[inline(always)]
    fn at<const BYTES: usize>(&self, address: u32, offset: u32) -> Option<*mut [u8; BYTES]> {
        let start = address.checked_add(offset)?;
        if start > self.memory_bytes.checked_sub(BYTES as u32)? {
            return None;
        }
        // SAFETY: `start` and the bytes behind it are inside the memory, as just found, and `new`
        // found that inside the arena.
        Some(unsafe { self.memory.add(start as usize) }.cast())
    }

    #[inline(always)]
    fn load<const BYTES: usize>(&self, address: u32, offset: u32) -> Option<[u8; BYTES]> {
        let bytes = self.at(address, offset)?;
        // SAFETY: `at` gives places inside the arena only, and an array of bytes needs no alignment.
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
        // SAFETY: `at` gives places inside the arena only, and an array of bytes needs no alignment.
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

    /// The word in a slot.
    #[inline(always)]
    pub(crate) fn word(self, slot: u8) -> u32 {
        // SAFETY: the window behind `start` is longer than any 8-bit slot number can reach.
        unsafe { read(self.start.add(usize::from(slot) * 4)) }
    }

    /// Replaces the word in a slot.
    #[inline(always)]
    pub(crate) fn set_word(self, slot: u8, value: u32) {
        // SAFETY: the window behind `start` is longer than any 8-bit slot number can reach.
        unsafe { write(self.start.add(usize::from(slot) * 4), value) }
    }

    /// The two words from a slot on, as one value.
    #[inline(always)]
    pub(crate) fn long(self, slot: u8) -> u64 {
        // SAFETY: the window behind `start` has one word more than 8-bit slot numbers can reach.
        let high = unsafe { read(self.start.add(usize::from(slot) * 4 + 4)) };
        u64::from(self.word(slot)) | u64::from(high) << 32
    }

    /// Replaces the two words from a slot on.
    #[inline(always)]
    pub(crate) fn set_long(self, slot: u8, low: u32, high: u32) {
        self.set_word(slot, low);
        // SAFETY: the window behind `start` has one word more than 8-bit slot numbers can reach.
        unsafe { write(self.start.add(usize::from(slot) * 4 + 4), high) }
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
