//! The driver against a register block in memory.

use super::{Registers, Watchdog};

#[test]
fn it_counts_with_a_reset_at_the_end_and_any_word_puts_it_off() {
    let block = Box::leak(Box::new([0_u32; 769])).as_mut_ptr();
    assert_eq!(size_of::<Registers>(), 769 * 4);
    // SAFETY: the block lives for ever and is taken once.
    let watchdog = unsafe { Watchdog::new(block.expose_provenance()) };
    let get = |word: usize| {
        assert!(word < 769);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { block.add(word).read_volatile() }
    };
    watchdog.start(200_000_000);
    assert_eq!((get(0), get(2), get(768)), (200_000_000, 0b11, 0x1acc_e551));
    assert_eq!(get(3), 0, "nobody has fed it yet");
    watchdog.feed();
    assert_ne!(get(3), 0);
}
