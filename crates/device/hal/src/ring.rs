//! A ring of bytes between one interrupt and the loop: one side pushes, the other pops, no lock.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Room for `N` bytes less one.
pub struct Ring<const N: usize> {
    bytes: UnsafeCell<[u8; N]>,
    /// Next byte to pop; only the popping side writes it.
    head: AtomicUsize,
    /// Next place to push; only the pushing side writes it.
    tail: AtomicUsize,
}

// SAFETY: a byte belongs to the pushing side until `tail` passes it and to the popping side until
// `head` does; both are published with release and read with acquire.
unsafe impl<const N: usize> Sync for Ring<N> {}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    pub const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new([0; N]),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
        }
    }

    /// Appends a byte. False if there is no room. One side only.
    pub fn push(&self, byte: u8) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        let next = if tail + 1 == N { 0 } else { tail + 1 };
        if next == self.head.load(Ordering::Acquire) {
            return false;
        }
        // SAFETY: `tail` is below N, and the byte there belongs to the pushing side (see `Sync`).
        unsafe { self.bytes.get().cast::<u8>().add(tail).write(byte) };
        self.tail.store(next, Ordering::Release);
        true
    }

    /// Takes the oldest byte. One side only.
    pub fn pop(&self) -> Option<u8> {
        let head = self.head.load(Ordering::Relaxed);
        if head == self.tail.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: `head` is below N, and the byte there belongs to the popping side (see `Sync`).
        let byte = unsafe { self.bytes.get().cast::<u8>().add(head).read() };
        self.head.store(if head + 1 == N { 0 } else { head + 1 }, Ordering::Release);
        Some(byte)
    }

    /// True if nothing is there to pop.
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire) == self.tail.load(Ordering::Acquire)
    }

    /// True if the next push would fail.
    pub fn is_full(&self) -> bool {
        let tail = self.tail.load(Ordering::Acquire);
        let next = if tail + 1 == N { 0 } else { tail + 1 };
        next == self.head.load(Ordering::Acquire)
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
