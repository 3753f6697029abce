//! Values that a static holds before they are known, at no cost in flash: not set is all zeros, so
//! that the start-up code clears them with everything else and copies nothing.

use core::ops::{Deref, DerefMut};

/// A value that may not be set yet.
///
/// # Layout
/// Zero, and nothing that matters behind it, while it is not set. An `Option` would often say
/// "none" by a number that its content never has, which is not zero.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum Late<T> {
    /// Not yet.
    Unset,
    /// The value.
    Set(T),
}

impl<T> Late<T> {
    /// The value.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Unset => None,
            Self::Set(value) => Some(value),
        }
    }

    /// Whether it is.
    pub const fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// The value, to change it.
    pub const fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Unset => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// Bytes that the caller lends; none before that.
#[derive(Debug)]
pub struct Bytes<'a>(Option<&'a mut [u8]>);

impl<'a> Bytes<'a> {
    /// None yet.
    pub const NONE: Self = Self(None);

    /// These bytes.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self(Some(bytes))
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Bytes<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}
