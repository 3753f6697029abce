//! Volatile cells that register blocks are made of. Leaves out bit fields: drivers name their bits.

use core::cell::UnsafeCell;

/// A register that is read and written.
#[repr(transparent)]
pub struct ReadWrite<T: Copy>(UnsafeCell<T>);

/// A register that is only read. Reading may have effects.
#[repr(transparent)]
pub struct ReadOnly<T: Copy>(UnsafeCell<T>);

/// A register that is only written.
#[repr(transparent)]
pub struct WriteOnly<T: Copy>(UnsafeCell<T>);

impl<T: Copy> ReadWrite<T> {
    /// Reads the register.
    pub fn read(&self) -> T {
        // SAFETY: whoever made the register block promised that it is mapped; the cell is aligned.
        unsafe { self.0.get().read_volatile() }
    }

    /// Writes the register.
    pub fn write(&self, value: T) {
        // SAFETY: whoever made the register block promised that it is mapped; the cell is aligned.
        unsafe { self.0.get().write_volatile(value) }
    }
}

impl<T: Copy> ReadOnly<T> {
    /// Reads the register.
    pub fn read(&self) -> T {
        // SAFETY: whoever made the register block promised that it is mapped; the cell is aligned.
        unsafe { self.0.get().read_volatile() }
    }
}

impl<T: Copy> WriteOnly<T> {
    /// Writes the register.
    pub fn write(&self, value: T) {
        // SAFETY: whoever made the register block promised that it is mapped; the cell is aligned.
        unsafe { self.0.get().write_volatile(value) }
    }
}
