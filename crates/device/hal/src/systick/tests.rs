//! The clock against a register block in memory and a counter that the test turns.

use super::{RELOAD_MAX, RELOAD_MIN, SysTick, divide};
use core::cell::Cell;
use core::sync::atomic::Ordering;

/// Words of the block, by offset.
const CONTROL: usize = 0;
const RELOAD: usize = 1;

/// One cycle is a microsecond here.
const HZ: u32 = 1_000_000;

thread_local! {
    static COUNTER: Cell<u32> = const { Cell::new(0) };
}

struct Bench {
    block: *mut u32,
    clock: SysTick,
}

impl Bench {
    fn new() -> Self {
        COUNTER.set(0);
        let block = Box::leak(Box::new([0_u32; 4])).as_mut_ptr();
        // SAFETY: the block lives for ever and is taken once.
        let clock = unsafe { SysTick::new(block.expose_provenance(), HZ, Some(|| COUNTER.get())) };
        clock.start();
        Self { block, clock }
    }

    fn get(&self, word: usize) -> u32 {
        assert!(word < 4);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { self.block.add(word).read_volatile() }
    }

    fn pass(&self, us: u32) {
        COUNTER.set(COUNTER.get().wrapping_add(us));
    }

    fn is_slice_over(&self) -> bool {
        self.clock.slice_flag().load(Ordering::Relaxed)
    }
}

#[test]
fn time_goes_on_when_the_counter_overflows() {
    let bench = Bench::new();
    for step in 1..=10_u64 {
        bench.pass(1_000_000_000);
        assert_eq!(bench.clock.now_us(), step * 1_000_000_000);
    }
}

#[test]
fn an_idle_clock_wakes_as_seldom_as_it_can() {
    let bench = Bench::new();
    assert_eq!(bench.get(CONTROL), 0b111);
    bench.pass(3 * RELOAD_MAX);
    assert_eq!(bench.clock.period_cycles(), RELOAD_MAX, "however late the interrupt comes");
    assert!(!bench.clock.interrupt());
    assert_eq!(bench.get(RELOAD), RELOAD_MAX - 1);
}

#[test]
fn the_timer_is_set_for_whatever_comes_first() {
    let bench = Bench::new();
    bench.clock.wake_at_us(5_000);
    assert_eq!(bench.get(RELOAD), 5_000 - 1);
    bench.clock.slice_begin(3_000);
    assert_eq!(bench.get(RELOAD), 3_000 - 1);
    bench.pass(3_000);
    assert!(bench.clock.interrupt());
    assert!(bench.is_slice_over());
    assert_eq!(bench.get(RELOAD), 2_000 - 1, "the deadline is left");
    bench.pass(2_000);
    assert!(!bench.clock.interrupt());
    assert_eq!(bench.get(RELOAD), RELOAD_MAX - 1);
}

#[test]
fn a_slice_ends_at_its_time_and_not_before_it() {
    let bench = Bench::new();
    bench.clock.slice_begin(10_000);
    bench.pass(9_999);
    assert!(!bench.clock.interrupt());
    assert!(!bench.is_slice_over());
    bench.pass(1);
    assert!(bench.clock.interrupt());
    assert!(bench.is_slice_over());
    bench.clock.slice_begin(10_000);
    assert!(!bench.is_slice_over(), "a new slice clears the mark");
    bench.clock.slice_end();
    bench.pass(20_000);
    assert!(!bench.clock.interrupt());
    assert!(!bench.is_slice_over(), "a slice that was left does not end");
}

#[test]
fn a_deadline_that_has_passed_comes_soon() {
    let bench = Bench::new();
    bench.pass(10_000);
    bench.clock.wake_at_us(1_000);
    assert_eq!(bench.get(RELOAD), RELOAD_MIN - 1);
    bench.clock.wake_at_us(u64::MAX);
    assert_eq!(bench.get(RELOAD), RELOAD_MIN - 1, "an earlier wake-up stays");
}

#[test]
fn long_division_agrees_with_the_library() {
    let values =
        (0..64).flat_map(|bit| [-1_i64, 0, 1].map(|add| (1_u64 << bit).wrapping_add_signed(add)));
    for value in values.chain([u64::MAX, 86_400_000_000 * 25_000]) {
        for by in [1, 3, 255, 1_000, 24_000, 25_000, 168_000, 0xff_ffff] {
            assert_eq!(divide(value, by), value / u64::from(by), "{value} / {by}");
        }
    }
}
