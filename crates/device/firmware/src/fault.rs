//! What happens when the firmware itself is wrong: say why, keep the reason over the reset, reboot.
//!
//! No state is trusted here and nothing is formatted by `core::fmt`.

use crate::console::{self, Part, say};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::{addr_of, addr_of_mut};
use cortex_m::peripheral::SCB;
use cortex_m_rt::ExceptionFrame;
use wasmbed_wire::{FaultRecord, ResetReason};

/// Says that a record was written before the reset and is not what the RAM held at power-on.
const MAGIC: u32 = u32::from_be_bytes(*b"WASR");

/// Why the board was reset, kept in RAM that start-up leaves alone.
#[derive(Clone, Copy)]
#[repr(C)]
struct Record {
    magic: u32,
    kind: u32,
    fault: [u32; 4],
    /// Faults and panics without a minute of sound running between them.
    streak: u32,
    check: u32,
}

const _: () = assert!(size_of::<Record>() <= crate::board::RESET_RECORD_BYTES);

const PANIC: u32 = 2;
const FAULT: u32 = 3;

unsafe extern "C" {
    /// The last bytes of the RAM. No section holds them: a loader that clears or reloads what
    /// the ELF describes leaves them alone.
    static mut _reset_record: MaybeUninit<Record>;
}

impl Record {
    /// A record of program counter, link register or line, fault status, address.
    fn new(kind: u32, fault: [u32; 4], streak: u32) -> Self {
        let sum = fault.iter().fold(MAGIC ^ kind, |sum, word| sum.rotate_left(7) ^ word);
        let check = sum.rotate_left(7) ^ streak;
        Self { magic: MAGIC, kind, fault, streak, check }
    }

    /// The record in the RAM, unless that is what power-on left there.
    fn read() -> Option<Self> {
        // SAFETY: no reference to the cell exists anywhere; every bit pattern is a record.
        let record = unsafe { addr_of!(_reset_record).cast::<Self>().read_volatile() };
        let expected = Self::new(record.kind, record.fault, record.streak);
        (record.magic == MAGIC && record.check == expected.check).then_some(record)
    }

    fn keep(self) {
        // SAFETY: called with interrupts off or from the only handler that runs; no reference to
        // the cell exists anywhere.
        unsafe { addr_of_mut!(_reset_record).cast::<Self>().write_volatile(self) };
    }
}

/// Keeps why the board stops, and restarts it.
fn stop(kind: u32, fault: [u32; 4]) -> ! {
    let streak = Record::read().map_or(0, |record| record.streak);
    Record::new(kind, fault, streak.saturating_add(1)).keep();
    SCB::sys_reset()
}

/// Why the board was reset.
pub struct LastReset {
    /// The reason, as the gateway is told.
    pub reason: ResetReason,
    /// Where it stopped.
    pub fault: Option<FaultRecord>,
    /// Faults and panics in a row, this one included.
    pub streak: u32,
}

/// Takes the record of the last reset, so that the next one does not find it.
pub fn take() -> LastReset {
    let record = Record::read().unwrap_or(Record::new(0, [0; 4], 0));
    let reason = match record.kind {
        PANIC => ResetReason::Panic,
        FAULT => ResetReason::HardFault,
        _ => ResetReason::PowerOn,
    };
    let is_fault = reason != ResetReason::PowerOn;
    let streak = if is_fault { record.streak } else { 0 };
    Record::new(0, [0; 4], streak).keep();
    let [pc, lr, cfsr, address] = record.fault;
    let fault = is_fault.then_some(FaultRecord { pc, lr, cfsr, address });
    LastReset { reason, fault, streak }
}

/// The board has run soundly for a while: the next fault is the first one again.
pub fn settle() {
    Record::new(0, [0; 4], 0).keep();
}

/// Restarts the board because it was asked to. Nothing is kept here: who asked is in the journal.
pub fn reboot() -> ! {
    SCB::sys_reset()
}

/// A line past all queues, one piece at a time: a fault may find little stack left.
struct Shout;

impl Shout {
    #[inline(never)]
    fn text(self, text: &str) -> Self {
        emit(text.as_bytes());
        self
    }

    #[inline(never)]
    fn word(self, word: u32) -> Self {
        console::spell(Part::Word(word), &mut emit);
        self
    }

    #[inline(never)]
    fn number(self, number: u32) -> Self {
        console::spell(Part::Number(u64::from(number)), &mut emit);
        self
    }

    fn end(self) {
        emit(b"\r\n");
    }
}

/// Begins a line.
fn shout(text: &str) -> Shout {
    #[cfg(board_uplink = "serial")]
    crate::uplink::end_torn_frame();
    Shout.text(text)
}

#[inline(never)]
fn emit(bytes: &[u8]) {
    #[cfg(board_uplink = "ethernet")]
    wasmbed_hal::Serial::write_now(&crate::ports::CONSOLE, bytes);
    #[cfg(board_uplink = "serial")]
    crate::uplink::shout(bytes);
}

/// An interrupt came that the board file does not know.
pub fn unexpected_interrupt() {
    // SAFETY: system control block registers exist on every core of this family.
    let active = unsafe { &*SCB::PTR }.icsr.read() & 0x1ff;
    // The first 16 exceptions belong to the core.
    let number = active.saturating_sub(16);
    cortex_m::interrupt::disable();
    shout("fault: interrupt ").number(number).text(" has no handler").end();
    stop(FAULT, [0, number, 0, 0])
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    let (file, line) = info.location().map_or(("?", 0), |at| (at.file(), at.line()));
    // A message with values in it would need the formatter; place and plain text say enough.
    let message = info.message().as_str().unwrap_or("");
    shout("panic: ").text(file).text(":").number(line).text(" ").text(message).end();
    stop(PANIC, [0, line, 0, 0])
}

// SAFETY: this only reads the frame that the hardware stacked, and never returns.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    cortex_m::interrupt::disable();
    // SAFETY: system control block registers exist on every core of this family.
    let scb = unsafe { &*SCB::PTR };
    let (status, hard) = (scb.cfsr.read(), scb.hfsr.read());
    let line = shout("fault: pc ").word(frame.pc()).text(" lr ").word(frame.lr());
    let line = line.text(" xpsr ").word(frame.xpsr()).text(" cfsr ").word(status);
    line.text(" hfsr ").word(hard).end();
    let line = shout("fault: r0 ").word(frame.r0()).text(" r1 ").word(frame.r1());
    let line = line.text(" r2 ").word(frame.r2()).text(" r3 ").word(frame.r3());
    line.text(" r12 ").word(frame.r12()).end();
    let line = shout("fault: mmfar ").word(scb.mmfar.read());
    line.text(" bfar ").word(scb.bfar.read()).end();
    stop(FAULT, [frame.pc(), frame.lr(), status, scb.bfar.read()])
}

/// Shows why the board was reset, if there is anything to say.
pub fn show(last: &LastReset) {
    let Some(fault) = last.fault else { return };
    match last.reason {
        ResetReason::Panic => {
            say(&[Part::Text("last reset: panic, line "), Part::Number(u64::from(fault.lr))]);
        }
        _ => say(&[
            Part::Text("last reset: fault, pc "),
            Part::Word(fault.pc),
            Part::Text(" cfsr "),
            Part::Word(fault.cfsr),
        ]),
    }
}
