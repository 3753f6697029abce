//! How often each instruction was executed, and which one followed which. For measuring on a host.
//!
//! Leaves out what the numbers mean: opcodes of the second page are told as 256 and more.
use crate::opcodes::byte;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Opcodes of both pages.
pub const OPCODES: usize = 512;
/// Offsets of code that are told apart: all that an image can have.
pub const OFFSETS: usize = 1 << 18;

static COUNTS: [AtomicU64; OFFSETS] = [const { AtomicU64::new(0) }; OFFSETS];
static PAIRS: [AtomicU64; OPCODES * OPCODES] = [const { AtomicU64::new(0) }; OPCODES * OPCODES];
static LAST: AtomicUsize = AtomicUsize::new(0);

/// Forgets everything.
pub fn reset() {
    for counter in COUNTS.iter().chain(&PAIRS) {
        counter.store(0, Ordering::Relaxed);
    }
}

/// Executions of the instruction at `offset` of the code.
pub fn count(offset: usize) -> u64 {
    COUNTS.get(offset).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

/// How often `second` was executed right behind `first`.
pub fn pair(first: usize, second: usize) -> u64 {
    PAIRS.get(first * OPCODES + second).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

/// Notes that the instruction at `offset` is about to be executed.
pub(crate) fn record(offset: usize, window: &[u8]) {
    let opcode = match window {
        [byte::Cold, second, ..] => 256 + usize::from(*second),
        [first, ..] => usize::from(*first),
        [] => return,
    };
    if let Some(counter) = COUNTS.get(offset) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    let last = LAST.swap(opcode, Ordering::Relaxed);
    if let Some(counter) = PAIRS.get(last * OPCODES + opcode) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
