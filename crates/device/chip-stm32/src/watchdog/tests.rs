//! The driver against a register block in memory.

use super::{FEED, PRESCALER_256, Registers, Watchdog};

#[test]
fn it_runs_its_longest_period_from_the_start() {
    let block = Box::leak(Box::new([0_u32; 3])).as_mut_ptr();
    assert_eq!(size_of::<Registers>(), 12);
    // SAFETY: the block lives for ever and is taken once.
    let watchdog = unsafe { Watchdog::new(block.expose_provenance()) };
    let get = |word: usize| {
        assert!(word < 3);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { block.add(word).read_volatile() }
    };
    watchdog.start();
    assert_eq!((get(0), get(1)), (FEED, PRESCALER_256), "fed last, so the new period holds");
    // SAFETY: inside of the block, which only this thread uses.
    unsafe { block.write_volatile(0) };
    watchdog.feed();
    assert_eq!(get(0), FEED);
}
