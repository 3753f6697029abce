//! A heap of a fixed size inside the guest's own memory: first fit over a list of holes in the order
//! of their addresses, neighbours joined. For guests that use the crate `alloc`.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};

/// A hole stands in itself.
#[repr(C, align(8))]
struct Hole {
    bytes: usize,
    next: Option<NonNull<Hole>>,
}

/// Size and alignment of everything that is given: a hole must fit into what comes back.
const UNIT: usize = size_of::<Hole>();

/// Memory that a [`Heap`] gives away.
#[repr(C, align(16))]
struct Memory<const BYTES: usize>([u8; BYTES]);

/// The list of holes, made at the first use.
struct State {
    first: Option<NonNull<Hole>>,
    is_ready: bool,
}

/// A heap of `BYTES` bytes: declare it with [`crate::heap!`].
pub struct Heap<const BYTES: usize> {
    memory: UnsafeCell<Memory<BYTES>>,
    state: UnsafeCell<State>,
}

// SAFETY: a guest has one thread.
unsafe impl<const BYTES: usize> Sync for Heap<BYTES> {}

impl<const BYTES: usize> Default for Heap<BYTES> {
    fn default() -> Self {
        Heap::new()
    }
}

impl<const BYTES: usize> Heap<BYTES> {
    /// An empty heap.
    pub const fn new() -> Self {
        const { assert!(BYTES >= UNIT && BYTES.is_multiple_of(UNIT), "a multiple of 16 bytes") };
        Heap {
            memory: UnsafeCell::new(Memory([0; BYTES])),
            state: UnsafeCell::new(State { first: None, is_ready: false }),
        }
    }

    /// The list of holes; at first one that is everything.
    ///
    /// # Safety
    /// No other reference to the state may live: no call of the heap is inside another.
    #[expect(clippy::mut_from_ref, reason = "the cell is what a global allocator has")]
    unsafe fn state(&self) -> &mut State {
        // SAFETY: the caller promises that this is the only reference.
        let state = unsafe { &mut *self.state.get() };
        if !state.is_ready {
            state.is_ready = true;
            // SAFETY: the memory is the heap's own, aligned to 16, and a hole's size at least.
            unsafe { give(state, self.memory.get().cast(), BYTES) };
        }
        state
    }
}

/// What a request takes: whole units, at least one.
fn units(layout: Layout) -> Option<usize> {
    layout.size().max(1).checked_next_multiple_of(UNIT)
}

/// Takes `bytes` out of the first hole that has as many behind an aligned address.
///
/// # Safety
/// The list must be sound.
unsafe fn take(state: &mut State, bytes: usize, align: usize) -> Option<NonNull<u8>> {
    let mut link: *mut Option<NonNull<Hole>> = &mut state.first;
    loop {
        // SAFETY: `link` points at the list's head or into a hole of a sound list.
        let mut hole = unsafe { *link }?;
        // SAFETY: holes of a sound list are inside the heap, and nobody else uses them.
        let Hole { bytes: hole_bytes, next } = *unsafe { hole.as_ref() };
        let before = hole.as_ptr().cast::<u8>().align_offset(align.max(UNIT));
        if before.checked_add(bytes).is_some_and(|end| end <= hole_bytes) {
            let behind = hole_bytes - before - bytes;
            let mut rest = next;
            if behind > 0 {
                // SAFETY: the rest lies inside the hole, and is a multiple of a unit.
                let tail = unsafe { hole.as_ptr().byte_add(before + bytes) };
                // SAFETY: as above.
                unsafe { tail.write(Hole { bytes: behind, next }) };
                rest = NonNull::new(tail);
            }
            if before > 0 {
                // SAFETY: the hole stays, shorter.
                let head = unsafe { hole.as_mut() };
                head.bytes = before;
                head.next = rest;
            } else {
                // SAFETY: as above.
                unsafe { *link = rest };
            }
            // SAFETY: inside the hole.
            return NonNull::new(unsafe { hole.as_ptr().cast::<u8>().add(before) });
        }
        // SAFETY: as above.
        link = unsafe { &raw mut (*hole.as_ptr()).next };
    }
}

/// Makes `bytes` at `at` a hole, joined with its neighbours.
///
/// # Safety
/// The list must be sound, and the bytes must be a multiple of a unit that nobody uses.
unsafe fn give(state: &mut State, at: *mut u8, bytes: usize) {
    let mut previous: Option<NonNull<Hole>> = None;
    let mut next = state.first;
    while let Some(hole) = next {
        if hole.as_ptr().cast::<u8>() > at {
            break;
        }
        previous = Some(hole);
        // SAFETY: holes of a sound list are inside the heap, and nobody else uses them.
        next = unsafe { hole.as_ref() }.next;
    }
    let target = at.cast::<Hole>();
    let mut made = Hole { bytes, next };
    if let Some(hole) = next
        && hole.as_ptr().cast::<u8>() == at.wrapping_add(bytes)
    {
        // SAFETY: as above.
        let following = unsafe { hole.as_ref() };
        made = Hole { bytes: bytes + following.bytes, next: following.next };
    }
    let Some(mut before) = previous else {
        // SAFETY: the caller promises that the bytes are free, and units are aligned as holes are.
        unsafe { target.write(made) };
        state.first = NonNull::new(target);
        return;
    };
    // SAFETY: as above.
    let before = unsafe { before.as_mut() };
    let end = (&raw mut *before).cast::<u8>().wrapping_add(before.bytes);
    if end == at {
        before.bytes += made.bytes;
        before.next = made.next;
    } else {
        before.next = NonNull::new(target);
        // SAFETY: as above.
        unsafe { target.write(made) };
    }
}

// SAFETY: `take` gives each byte to one owner at a time, aligned as asked for, until it comes back.
unsafe impl<const BYTES: usize> GlobalAlloc for Heap<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(bytes) = units(layout) else { return null_mut() };
        // SAFETY: a guest has one thread, and nothing here calls back into the heap.
        let state = unsafe { self.state() };
        // SAFETY: the list is sound: only `take` and `give` change it.
        unsafe { take(state, bytes, layout.align()) }.map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some(bytes) = units(layout) else { return };
        // SAFETY: as in `alloc`.
        let state = unsafe { self.state() };
        // SAFETY: the caller promises that these bytes came from `alloc` and are not used any more.
        unsafe { give(state, at, bytes) };
    }
}

/// Gives the guest a heap of so many bytes, a multiple of 16, for the crate `alloc`.
#[macro_export]
macro_rules! heap {
    ($bytes:expr) => {
        #[global_allocator]
        static WASMBED_HEAP: $crate::Heap<{ $bytes }> = $crate::Heap::new();
    };
}

#[cfg(test)]
mod tests;
