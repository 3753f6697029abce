//! The driver against a register block in memory, whose bits the test sets.

use super::{RECEIVE, RECEIVE_INTERRUPT, Registers, TRANSMIT, TRANSMIT_INTERRUPT, Uart};
use wasmbed_hal::{Ring, Serial};

/// Words of the block, by offset.
const DATA: usize = 0;
const STATE: usize = 1;
const CONTROL: usize = 2;
const DIVIDER: usize = 4;

/// A block in memory and the driver on it.
struct Bench {
    block: *mut u32,
    uart: Uart,
}

/// Room for three bytes.
fn ring() -> &'static Ring {
    Box::leak(Box::new(Ring::<[u8; 4]>::new()))
}

impl Bench {
    fn new() -> Self {
        let block = Box::leak(Box::new([0_u32; 5])).as_mut_ptr();
        assert_eq!(size_of::<Registers>(), 20);
        // SAFETY: the block lives for ever and is taken once.
        let uart = unsafe { Uart::new(block.expose_provenance(), ring(), ring()) };
        Self { block, uart }
    }

    fn set(&self, word: usize, value: u32) {
        assert!(word < 5);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { self.block.add(word).write_volatile(value) };
    }

    fn get(&self, word: usize) -> u32 {
        assert!(word < 5);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { self.block.add(word).read_volatile() }
    }
}

#[test]
fn a_full_ring_leaves_the_byte_in_the_register_until_there_is_room() {
    let bench = Bench::new();
    bench.uart.start(25_000_000, 115_200);
    assert_eq!(bench.get(DIVIDER), 217);
    bench.set(DATA, 0x55);
    // The mark stays set here, so the driver takes as many as it has room for, and no more.
    bench.set(STATE, RECEIVE);
    bench.uart.interrupt();
    bench.set(DATA, 0x66);
    bench.uart.interrupt();
    assert_eq!(bench.uart.read(), Some(0x55));
    bench.set(STATE, 0);
    let rest: Vec<u8> = core::iter::from_fn(|| bench.uart.read()).collect();
    assert_eq!(rest, [0x55, 0x55, 0x66], "room was filled at once by what waited");
}

#[test]
fn a_busy_line_is_waited_for_by_interrupt_and_an_idle_one_is_not() {
    let bench = Bench::new();
    bench.uart.start(25_000_000, 115_200);
    let quiet = TRANSMIT | RECEIVE | RECEIVE_INTERRUPT;
    assert_eq!(bench.uart.write(b"a"), 1);
    assert_eq!((bench.get(DATA), bench.get(CONTROL)), (u32::from(b'a'), quiet));

    bench.set(STATE, TRANSMIT);
    assert_eq!(bench.uart.write(b"bcdef"), 3, "three fit the ring");
    assert_eq!(bench.get(DATA), u32::from(b'a'), "nothing is written over");
    assert_eq!(bench.get(CONTROL), quiet | TRANSMIT_INTERRUPT);
    assert!(!bench.uart.is_idle() && !bench.uart.has_room());

    bench.set(STATE, 0);
    bench.uart.interrupt();
    assert_eq!((bench.get(DATA), bench.get(CONTROL)), (u32::from(b'd'), quiet));
    assert!(bench.uart.is_idle() && bench.uart.has_room());
}

#[test]
fn a_fault_handler_sends_what_was_queued_first() {
    let bench = Bench::new();
    bench.uart.start(25_000_000, 10_000_000);
    assert_eq!(bench.get(DIVIDER), 16, "the divider has a lower bound");
    bench.set(STATE, TRANSMIT);
    assert_eq!(bench.uart.write(b"xy"), 2);
    bench.set(STATE, 0);
    bench.uart.write_now(b"z");
    assert_eq!(bench.get(DATA), u32::from(b'z'));
    assert_eq!(bench.get(CONTROL), TRANSMIT, "no interrupt comes any more");
    assert!(bench.uart.is_idle());
}
