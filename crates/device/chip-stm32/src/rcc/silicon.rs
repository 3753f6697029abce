//! Memory that answers as reset and clock control does on a chip: oscillators become ready after they
//! were switched on, and the clock in use follows the one that is asked for. A thread plays it, since
//! the driver waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

/// One block of registers, in memory that stays where it is.
pub struct Block(&'static [AtomicU32]);

impl Block {
    /// A block whose registers have these values after a reset.
    pub fn new(values: &[u32]) -> Self {
        let cells: Vec<AtomicU32> = values.iter().map(|value| AtomicU32::new(*value)).collect();
        Self(Box::leak(cells.into_boxed_slice()))
    }

    /// Where it is.
    pub fn base(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The register at an offset in bytes.
    pub fn at(&self, offset: usize) -> &'static AtomicU32 {
        &self.0[offset / 4]
    }

    /// What the register at an offset in bytes holds.
    pub fn read(&self, offset: usize) -> u32 {
        self.at(offset).load(Ordering::SeqCst)
    }
}

/// Plays the chip until the value goes away: `react` is called again and again, and sets what the
/// hardware would set.
pub struct Silicon {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silicon {
    /// Starts to play.
    pub fn start(mut react: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                react();
                std::thread::yield_now();
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Silicon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A failed assertion of the thread is one of the test.
            let result = thread.join();
            assert!(result.is_ok() || std::thread::panicking(), "the chip was set up wrongly");
        }
    }
}
