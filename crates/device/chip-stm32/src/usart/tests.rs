//! The driver against a register block in memory, whose bits the test sets.

use super::{
    ENABLE, RECEIVE, RECEIVE_INTERRUPT, RECEIVED, ROOM, Registers, SENT, TRANSMIT,
    TRANSMIT_INTERRUPT, Usart,
};
use wasmbed_hal::{Ring, Serial};

/// Words of the block, by offset.
const STATUS: usize = 0;
const DATA: usize = 1;
const DIVIDER: usize = 2;
const CONTROL: usize = 3;

/// Control of a port that waits for bytes.
const QUIET: u32 = ENABLE | TRANSMIT | RECEIVE | RECEIVE_INTERRUPT;

/// A block in memory and the driver on it.
struct Bench {
    block: *mut u32,
    usart: Usart,
}

/// Room for three bytes.
fn ring() -> &'static Ring {
    Box::leak(Box::new(Ring::<[u8; 4]>::new()))
}

impl Bench {
    fn new() -> Self {
        let block = Box::leak(Box::new([0_u32; 4])).as_mut_ptr();
        assert_eq!(size_of::<Registers>(), 16);
        // SAFETY: the block lives for ever and is taken once.
        let usart = unsafe { Usart::new(block.expose_provenance(), ring(), ring()) };
        usart.start(24_000_000, 115_200);
        Self { block, usart }
    }

    fn set(&self, word: usize, value: u32) {
        assert!(word < 4);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { self.block.add(word).write_volatile(value) };
    }

    fn get(&self, word: usize) -> u32 {
        assert!(word < 4);
        // SAFETY: inside of the block, which only this thread uses.
        unsafe { self.block.add(word).read_volatile() }
    }
}

#[test]
fn a_full_ring_silences_its_interrupt_until_there_is_room() {
    let bench = Bench::new();
    assert_eq!((bench.get(DIVIDER), bench.get(CONTROL)), (208, QUIET));
    bench.set(DATA, 0x55);
    // The mark stays set here, so the driver takes as many as it has room for, and no more.
    bench.set(STATUS, RECEIVED);
    bench.usart.interrupt();
    assert_eq!(bench.get(CONTROL), QUIET & !RECEIVE_INTERRUPT);
    bench.set(DATA, 0x66);
    assert_eq!(bench.usart.read(), Some(0x55));
    bench.set(STATUS, 0);
    let rest: Vec<u8> = core::iter::from_fn(|| bench.usart.read()).collect();
    assert_eq!(rest, [0x55, 0x55, 0x66], "room was filled at once by what waited");
    assert_eq!(bench.get(CONTROL), QUIET);
}

#[test]
fn a_busy_line_is_waited_for_by_interrupt_and_an_idle_one_is_not() {
    let bench = Bench::new();
    assert_eq!(bench.usart.write(b"bcdef"), 3, "three fit the ring");
    assert_eq!(bench.get(CONTROL), QUIET | TRANSMIT_INTERRUPT);
    assert!(!bench.usart.has_room());
    bench.set(STATUS, ROOM | SENT);
    bench.usart.interrupt();
    assert_eq!((bench.get(DATA), bench.get(CONTROL)), (u32::from(b'd'), QUIET));
    assert!(bench.usart.is_idle() && bench.usart.has_room());
}

#[test]
fn a_fault_handler_sends_what_was_queued_first() {
    let bench = Bench::new();
    assert_eq!(bench.usart.write(b"xy"), 2);
    bench.set(STATUS, ROOM | SENT);
    bench.usart.write_now(b"z");
    assert_eq!(bench.get(DATA), u32::from(b'z'));
    assert_eq!(bench.get(CONTROL), ENABLE | TRANSMIT, "no interrupt comes any more");
    assert!(bench.usart.is_idle());
}

#[test]
fn reception_never_dries_up_however_interrupts_and_reads_mix() {
    const READS: usize = 200_000;
    let bench = Bench::new();
    // A byte is always there, as from a source of random ones.
    bench.set(STATUS, RECEIVED);
    let is_over = core::sync::atomic::AtomicBool::new(false);
    let control = bench.block.expose_provenance() + CONTROL * 4;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let control = core::ptr::with_exposed_provenance::<u32>(control);
            while !is_over.load(core::sync::atomic::Ordering::Relaxed) {
                // SAFETY: inside of the block, which lives for ever.
                if unsafe { control.read_volatile() } & RECEIVE_INTERRUPT != 0 {
                    bench.usart.interrupt();
                }
            }
        });
        for read in 0..READS {
            let is_dry =
                || bench.get(CONTROL) & RECEIVE_INTERRUPT == 0 && !bench.usart.has_received();
            while bench.usart.read().is_none() {
                if is_dry() {
                    is_over.store(true, core::sync::atomic::Ordering::Relaxed);
                    panic!("after {read} bytes nothing comes any more");
                }
            }
        }
        is_over.store(true, core::sync::atomic::Ordering::Relaxed);
    });
}
