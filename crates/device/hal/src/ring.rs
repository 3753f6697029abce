//! A ring of bytes between one interrupt and the loop: one side pushes, the other pops, no lock.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Room for the bytes of `B` less one. Made as `Ring<[u8; N]>`, used as `Ring`: the code is there
/// once, whatever the sizes.
pub struct Ring<B: ?Sized = [u8]> {
    /// Next byte to pop; only the popping side writes it.
    head: AtomicUsize,
    /// Next place to push; only the pushing side writes it.
    tail: AtomicUsize,
    bytes: UnsafeCell<B>,
}

// SAFETY: a byte belongs to the pushing side until `tail` passes it and to the popping side until
// `head` does; both are published with release and read with acquire.
unsafe impl<B: ?Sized> Sync for Ring<B> {}

impl<const N: usize> Ring<[u8; N]> {
    /// An empty ring. It is all zero, so that a static one takes no flash.
    pub const fn new() -> Self {
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            bytes: UnsafeCell::new([0; N]),
        }
    }
}

impl Ring {
    /// The place after `index`.
    fn after(&self, index: usize) -> usize {
        if index + 1 == self.bytes.get().len() { 0 } else { index + 1 }
    }

    /// Appends a byte. False if there is no room. One side only.
    pub fn push(&self, byte: u8) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        let next = self.after(tail);
        if next == self.head.load(Ordering::Acquire) {
            return false;
        }
        // SAFETY: `tail` is below the length, and the byte there belongs to the pushing side (see `Sync`).
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
        // SAFETY: `head` is below the length, and the byte there belongs to the popping side (see `Sync`).
        let byte = unsafe { self.bytes.get().cast::<u8>().add(head).read() };
        self.head.store(self.after(head), Ordering::Release);
        Some(byte)
    }

    /// True if nothing is there to pop.
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire) == self.tail.load(Ordering::Acquire)
    }

    /// True if the next push would fail.
    pub fn is_full(&self) -> bool {
        let tail = self.tail.load(Ordering::Acquire);
        let next = self.after(tail);
        next == self.head.load(Ordering::Acquire)
    }
}

impl<const N: usize> Default for Ring<[u8; N]> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
