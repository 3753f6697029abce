//! What tells a guest that its time slice is over.
use core::sync::atomic::{AtomicBool, Ordering};

/// Asked at every back-edge and function entry, so it must be cheap.
pub trait Stop {
    /// Whether the guest must stop now. It has made progress since it was asked last.
    fn is_over(&mut self) -> bool;
}

/// A flag that an interrupt sets.
impl Stop for &AtomicBool {
    #[inline(always)]
    fn is_over(&mut self) -> bool {
        self.load(Ordering::Relaxed)
    }
}
