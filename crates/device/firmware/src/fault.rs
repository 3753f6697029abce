//! What happens when the firmware itself is wrong: say why, keep the reason over the reset, reboot.
//!
//! No state is trusted here and nothing is formatted by `core::fmt`.

use crate::board;
use crate::console::{self, Part, say};
use core::arch::naked_asm;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::{addr_of, addr_of_mut};
use cortex_m::peripheral::{MPU, SCB};
use cortex_m_rt::ExceptionFrame;
use wasmbed_wire::{FaultRecord, ResetReason};

/// Says that a record was written before the reset and is not what the RAM held at power-on.
const MAGIC: u32 = u32::from_be_bytes(*b"WASR");

/// Why the board was reset, kept in RAM that start-up leaves alone.
#[derive(Clone, Copy)]
#[repr(C)]
struct Record {
    magic: u32,
    /// The kind, and above it how many faults, panics and hangs there were without a minute of sound
    /// running between them.
    kind_and_streak: u32,
    fault: Fault,
    check: u32,
}

/// Program counter, link register or line, fault status, hard fault status, address.
type Fault = [u32; 5];

const _: () = assert!(size_of::<Record>() <= board::RESET_RECORD_BYTES);

const NOTHING: u8 = 0;
const PANIC: u8 = 2;
const FAULT: u8 = 3;
const STUCK: u8 = 4;
const STACK: u8 = 5;

unsafe extern "C" {
    /// The last bytes of the RAM. No section holds them: a loader that clears or reloads what
    /// the ELF describes leaves them alone.
    static mut _reset_record: MaybeUninit<Record>;
}

impl Record {
    fn new(kind: u8, fault: Fault, streak: u32) -> Self {
        Self::sealed(u32::from(kind) | streak << 8, fault)
    }

    fn sealed(kind_and_streak: u32, fault: Fault) -> Self {
        let sum = fault.iter().fold(MAGIC ^ kind_and_streak, |sum, word| sum.rotate_left(7) ^ word);
        Self { magic: MAGIC, kind_and_streak, fault, check: sum }
    }

    /// The record in the RAM, unless that is what power-on left there.
    fn read() -> Option<Self> {
        // SAFETY: no reference to the cell exists anywhere; every bit pattern is a record.
        let record = unsafe { addr_of!(_reset_record).cast::<Self>().read_volatile() };
        let expected = Self::sealed(record.kind_and_streak, record.fault);
        (record.magic == MAGIC && record.check == expected.check).then_some(record)
    }

    fn keep(self) {
        // SAFETY: called with interrupts off or from the only handler that runs; no reference to
        // the cell exists anywhere.
        unsafe { addr_of_mut!(_reset_record).cast::<Self>().write_volatile(self) };
    }

    fn kind(&self) -> u8 {
        self.kind_and_streak as u8
    }

    fn streak(&self) -> u32 {
        self.kind_and_streak >> 8
    }
}

/// Keeps why the board stops, before anything is said: the line may be what hangs. Nothing is
/// protected from here on, because saying it may take more than what is left of a stack.
fn keep(kind: u8, fault: Fault) {
    cortex_m::interrupt::disable();
    // SAFETY: every core of this family has this register, and nothing relies on it any more.
    unsafe { (*MPU::PTR).ctrl.write(0) };
    let streak = Record::read().map_or(0, |record| record.streak());
    Record::new(kind, fault, streak.saturating_add(1)).keep();
}

/// Why the board was reset.
pub struct LastReset {
    /// The reason, as the gateway is told.
    pub reason: ResetReason,
    /// Where it stopped.
    pub fault: Option<FaultRecord>,
    /// Faults, panics and hangs in a row, this one included.
    pub streak: u32,
}

/// Takes the record of the last reset, so that the next one does not find it.
pub fn take() -> LastReset {
    let record = Record::read().unwrap_or(Record::new(NOTHING, [0; 5], 0));
    let reason = match record.kind() {
        PANIC => ResetReason::Panic,
        FAULT => ResetReason::HardFault,
        STUCK => ResetReason::Watchdog,
        STACK => ResetReason::StackOverflow,
        _ => ResetReason::PowerOn,
    };
    let is_fault = reason != ResetReason::PowerOn;
    let streak = if is_fault { record.streak() } else { 0 };
    Record::new(NOTHING, [0; 5], streak).keep();
    let [pc, lr, cfsr, hfsr, address] = record.fault;
    let fault = is_fault.then_some(FaultRecord { pc, lr, cfsr, address, hfsr: Some(hfsr) });
    LastReset { reason, fault, streak }
}

/// The board has run soundly for a while: the next fault is the first one again.
pub fn settle() {
    Record::new(NOTHING, [0; 5], 0).keep();
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
    keep(FAULT, [0, number, 0, 0, 0]);
    shout("fault: interrupt ").number(number).text(" has no handler").end();
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("?", 0), |at| (at.file(), at.line()));
    keep(PANIC, [0, line, 0, 0, 0]);
    // A message with values in it would need the formatter; place and plain text say enough.
    let message = info.message().as_str().unwrap_or("");
    shout("panic: ").text(file).text(":").number(line).text(" ").text(message).end();
    SCB::sys_reset()
}

/// The loop has not come round for too long; an interrupt found it at the frame at this address.
pub fn stuck(frame: usize) -> ! {
    // SAFETY: the address is from a stack pointer, and interrupted code is left alone from here on.
    let (pc, lr) = unsafe { frame_at(frame) }.map_or((0, 0), |frame| (frame.pc(), frame.lr()));
    keep(STUCK, [pc, lr, 0, 0, 0]);
    shout("fault: stuck, pc ").word(pc).text(" lr ").word(lr).end();
    SCB::sys_reset()
}

/// The frame at this address, unless the stack pointer that it came from had left the RAM.
///
/// # Safety
/// In the RAM it must be a frame that nothing changes any more.
unsafe fn frame_at(address: usize) -> Option<&'static ExceptionFrame> {
    let is_inside = address.wrapping_sub(board::RAM) <= FRAME_OFFSET_MAX;
    // SAFETY: inside of the RAM; every bit pattern is a frame, and stack pointers are aligned.
    is_inside.then(|| unsafe { &*(address as *const ExceptionFrame) })
}

/// Where in the RAM a frame can begin at most.
const FRAME_OFFSET_MAX: usize = board::RAM_BYTES - size_of::<ExceptionFrame>();

/// Every fault ends here. What the processor saved goes to the top of the interrupts' stack, and
/// the handler runs below it: neither stack can be trusted now, and nobody returns.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn HardFault() {
    naked_asm!(
        "mov r1, lr",
        "tst r1, #4",
        "ite eq",
        "mrseq r2, msp",
        "mrsne r2, psp",
        "ldr r3, =_stack_start",
        "ldr r0, ={ram}",
        "sub r0, r2, r0",
        "ldr r12, ={last}",
        "cmp r0, r12",
        "mov.w r0, #0",
        "bhi 1f",
        "ldm r2, {{r4-r11}}",
        "stmdb r3!, {{r4-r11}}",
        "mov r0, r3",
        "1:",
        "mov sp, r3",
        "b {handle}",
        ".pool",
        ram = const board::RAM,
        last = const FRAME_OFFSET_MAX,
        handle = sym handle,
    )
}

/// The processor could not save the registers: MSTKERR, STKERR, or beyond the stack's limit (STKOF,
/// which ARMv7-M does not know).
///
/// # Source
/// Arm DDI 0403E, ARMv7-M Architecture Reference Manual, section B3.2.15 "Configurable Fault Status
/// Register"; Arm DDI 0553B, Armv8-M Architecture Reference Manual, section D1.2 "UFSR".
const UNSAVED: u32 = 1 << 4 | 1 << 12 | 1 << 20;
/// The address registers of the protection and of the bus hold one.
const HAS_PROTECTION_ADDRESS: u32 = 1 << 7;
const HAS_BUS_ADDRESS: u32 = 1 << 15;

/// Says and keeps what the fault was. `stack` is where its frame was, or should have been.
extern "C" fn handle(frame: Option<&ExceptionFrame>, exception_return: u32, stack: usize) -> ! {
    // SAFETY: system control block registers exist on every core of this family.
    let scb = unsafe { &*SCB::PTR };
    let (status, hard) = (scb.cfsr.read(), scb.hfsr.read());
    let address = match status {
        status if status & HAS_PROTECTION_ADDRESS != 0 => scb.mmfar.read(),
        status if status & HAS_BUS_ADDRESS != 0 => scb.bfar.read(),
        _ => 0,
    };
    let is_unsaved = status & UNSAVED != 0;
    let is_stack = is_unsaved || !crate::stack::holds(stack, exception_return & 1 << 2 != 0);
    let kind = if is_stack { STACK } else { FAULT };
    let frame = if is_unsaved { None } else { frame };
    let (pc, lr) = frame.map_or((0, 0), |frame| (frame.pc(), frame.lr()));
    keep(kind, [pc, lr, status, hard, address]);
    let line = shout("fault: pc ").word(pc).text(" lr ").word(lr).text(" cfsr ").word(status);
    let line = line.text(" hfsr ").word(hard).text(" address ").word(address);
    line.text(if is_stack { " stack" } else { "" }).end();
    if let Some(frame) = frame {
        let line = shout("fault: r0 ").word(frame.r0()).text(" r1 ").word(frame.r1());
        let line = line.text(" r2 ").word(frame.r2()).text(" r3 ").word(frame.r3());
        line.text(" r12 ").word(frame.r12()).text(" xpsr ").word(frame.xpsr()).end();
    }
    SCB::sys_reset()
}

/// Shows why the board was reset, if there is anything to say.
pub fn show(last: &LastReset) {
    let Some(fault) = last.fault else { return };
    let what = match last.reason {
        ResetReason::Panic => {
            say(&[Part::Text("last reset: panic, line "), Part::Number(u64::from(fault.lr))]);
            return;
        }
        ResetReason::Watchdog => "last reset: stuck, pc ",
        ResetReason::StackOverflow => "last reset: stack, pc ",
        _ => "last reset: fault, pc ",
    };
    say(&[Part::Text(what), Part::Word(fault.pc), Part::Text(" cfsr "), Part::Word(fault.cfsr)]);
}
