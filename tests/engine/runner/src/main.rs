//! Runs batches of work for the engine on an emulated MPS2 board.
//!
//! The batch lies in the PSRAM, and what came of it is written there: the emulator backs it with a
//! file. Time slices are ended by a timer, and a second one interrupts the first or is interrupted by it. The last word is
//! semihosting's: without it the emulator would not end.
#![no_std]
#![no_main]

mod arena;
mod memory;
mod slices;
mod stack;

use crate::arena::Place;
use crate::memory::Records;
use crate::slices::Slices;
use core::panic::PanicInfo;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use semihosting_of_qemu::{End, exit};
use wasmbed_engine_batch::layout;
use wasmbed_engine_batch::record::{self, Sink};
use wasmbed_engine_batch::{Item, arena_bytes, execute};

#[entry]
fn main() -> ! {
    stack::run(run)
}

/// Everything after the change of stacks.
extern "C" fn run() -> ! {
    let program = memory::program_digest();
    slices::start();
    let batch = memory::batch();
    let mut records = Records::begin();
    let mut rest = memory::items(batch);
    while let Some((item, tail)) = rest.and_then(Item::decode) {
        rest = Some(tail);
        work(&item, &mut records);
    }
    if memory::program_digest() != program {
        records.record(record::FAULT, &[fault::PROGRAM, 0, 0, 0, 0]);
    }
    let [taken, in_core, in_handler, nested] = slices::counts();
    records.record(record::DONE, &[taken, in_core, in_handler, nested, stack::used_bytes()]);
    exit(End::Application)
}

fn work(item: &Item<'_>, records: &mut Records) {
    records.record(record::BEGIN, &[item.id]);
    let needed = arena_bytes(item).unwrap_or(0);
    let Some(mut place) = Place::new(needed, item.alignment as usize) else {
        records.record(record::TOO_LARGE, &[needed.min(u32::MAX.into()) as u32]);
        return;
    };
    let mut slices = Slices::new(item);
    execute(item, place.arena(), &mut slices, records);
    slices.end();
    if let Some((offset, found)) = place.spoilt() {
        records.record(record::SPOILT, &[offset as u32, found]);
    }
}

/// What failed, in a record of a fault.
mod fault {
    /// The core raised a fault: stacked pc and lr, CFSR, BFAR.
    pub const HARD: u32 = 1;
    /// A panic: line, and the end of the file's name.
    pub const PANIC: u32 = 2;
    /// An interrupt that nobody asked for.
    pub const INTERRUPT: u32 = 3;
    /// The program is not what it was.
    pub const PROGRAM: u32 = 4;
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let [cfsr, bfar] = memory::fault_status();
    let words = [fault::HARD, frame.pc(), frame.lr(), cfsr, bfar];
    Records::resume().record(record::FAULT, &words);
    exit(End::Application)
}

#[exception]
unsafe fn DefaultHandler(line: i16) {
    match line {
        slices::SLICE_LINE => slices::slice_interrupt(),
        slices::NESTED_LINE => slices::nested_interrupt(),
        _ => {
            let words = [fault::INTERRUPT, line as u32, 0, 0, 0];
            Records::resume().record(record::FAULT, &words);
            exit(End::Application)
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut words = [fault::PANIC, 0, 0, 0, 0];
    if let Some(location) = info.location() {
        words[1] = location.line();
        let name = location.file().as_bytes();
        let end = name.len().saturating_sub(12);
        for (index, byte) in name.iter().skip(end).enumerate() {
            words[2 + index / 4] |= u32::from(*byte) << (index % 4 * 8);
        }
    }
    Records::resume().record(record::FAULT, &words);
    exit(End::Application)
}

const _: () = assert!(layout::RECORDS < layout::ARENA);
