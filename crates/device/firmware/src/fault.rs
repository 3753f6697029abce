//! What happens when the firmware itself is wrong: say why, keep the reason over the reset, reboot.
//!
//! No state is trusted here and nothing is formatted by `core::fmt`.

use crate::console::{Part, spell};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::{addr_of, addr_of_mut};
use cortex_m::peripheral::SCB;
use cortex_m_rt::ExceptionFrame;
use wasmbed_runtime::ResetReason;

/// Says that a record was written before the reset and is not what the RAM held at power-on.
const MAGIC: u32 = 0x5741_5352;

/// Why the board was reset, kept in RAM that start-up leaves alone.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Record {
    magic: u32,
    kind: u32,
    /// Program counter of a fault; line of a panic; number of an interrupt.
    pub detail: u32,
    /// Configurable fault status.
    pub status: u32,
    check: u32,
}

const REQUESTED: u32 = 1;
const PANIC: u32 = 2;
const FAULT: u32 = 3;

unsafe extern "C" {
    /// The last bytes of the RAM. No section holds them: a loader that clears or reloads what
    /// the ELF describes leaves them alone.
    static mut _reset_record: MaybeUninit<Record>;
}

impl Record {
    fn new(kind: u32, detail: u32, status: u32) -> Self {
        let check = MAGIC ^ kind ^ detail.rotate_left(8) ^ status.rotate_left(16);
        Self { magic: MAGIC, kind, detail, status, check }
    }

    fn keep(self) {
        // SAFETY: called with interrupts off or from the only handler that runs; no reference to
        // the cell exists anywhere.
        unsafe { addr_of_mut!(_reset_record).cast::<Self>().write_volatile(self) };
    }

    /// Takes the record of the last reset, so that the next one does not find it.
    pub fn take() -> (ResetReason, Self) {
        // SAFETY: called once, before anything that could write it; every bit pattern is a record.
        let record = unsafe { addr_of!(_reset_record).cast::<Self>().read_volatile() };
        let expected = Self::new(record.kind, record.detail, record.status);
        Self::new(0, 0, 0).keep();
        let is_kept = record.magic == MAGIC && record.check == expected.check;
        let reason = match record.kind {
            REQUESTED if is_kept => ResetReason::Requested,
            PANIC if is_kept => ResetReason::Panic,
            FAULT if is_kept => ResetReason::Fault,
            _ => ResetReason::PowerOn,
        };
        (reason, record)
    }
}

/// Restarts the board because it was asked to.
pub fn reboot() -> ! {
    Record::new(REQUESTED, 0, 0).keep();
    SCB::sys_reset()
}

/// Sends a line past all queues.
fn shout(parts: &[Part<'_>]) {
    #[cfg(board_uplink = "ethernet")]
    {
        use wasmbed_hal::Serial;
        let mut emit = |bytes: &[u8]| crate::ports::CONSOLE.write_now(bytes);
        parts.iter().for_each(|part| spell(*part, &mut emit));
        emit(b"\r\n");
    }
    #[cfg(board_uplink = "serial")]
    crate::uplink::shout(parts);
}

/// An interrupt came that the board file does not know.
pub fn unexpected_interrupt() {
    // SAFETY: system control block registers exist on every core of this family.
    let active = unsafe { &*SCB::PTR }.icsr.read() & 0x1ff;
    // The first 16 exceptions belong to the core.
    let number = active.saturating_sub(16);
    cortex_m::interrupt::disable();
    shout(&[Part::Text("fault: interrupt "), Part::Number(number.into()), Part::Text(" has no handler")]);
    Record::new(FAULT, number, 0).keep();
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    let (file, line) = info.location().map_or(("?", 0), |at| (at.file(), at.line()));
    // A message with values in it would need the formatter; place and plain text say enough.
    let message = info.message().as_str().unwrap_or("");
    shout(&[
        Part::Text("panic: "),
        Part::Text(file),
        Part::Text(":"),
        Part::Number(u64::from(line)),
        Part::Text(" "),
        Part::Text(message),
    ]);
    Record::new(PANIC, line, 0).keep();
    SCB::sys_reset()
}

// SAFETY: this only reads the frame that the hardware stacked, and never returns.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    cortex_m::interrupt::disable();
    // SAFETY: system control block registers exist on every core of this family.
    let scb = unsafe { &*SCB::PTR };
    let (status, hard) = (scb.cfsr.read(), scb.hfsr.read());
    shout(&[
        Part::Text("fault: pc "),
        Part::Word(frame.pc()),
        Part::Text(" lr "),
        Part::Word(frame.lr()),
        Part::Text(" cfsr "),
        Part::Word(status),
        Part::Text(" hfsr "),
        Part::Word(hard),
        Part::Text(" mmfar "),
        Part::Word(scb.mmfar.read()),
        Part::Text(" bfar "),
        Part::Word(scb.bfar.read()),
    ]);
    let registers = [
        (" r0 ", frame.r0()),
        (" r1 ", frame.r1()),
        (" r2 ", frame.r2()),
        (" r3 ", frame.r3()),
        (" r12 ", frame.r12()),
        (" xpsr ", frame.xpsr()),
    ];
    for (name, value) in registers {
        shout(&[Part::Text("fault:"), Part::Text(name), Part::Word(value)]);
    }
    Record::new(FAULT, frame.pc(), status).keep();
    SCB::sys_reset()
}

/// The line about the last reset, if there is anything to say.
pub fn last_reset(reason: ResetReason, record: &Record) -> Option<[Part<'static>; 4]> {
    match reason {
        ResetReason::Panic => Some([
            Part::Text("last reset: panic, line "),
            Part::Number(u64::from(record.detail)),
            Part::Text(""),
            Part::Text(""),
        ]),
        ResetReason::Fault => Some([
            Part::Text("last reset: fault, pc "),
            Part::Word(record.detail),
            Part::Text(" cfsr "),
            Part::Word(record.status),
        ]),
        ResetReason::Requested => Some([
            Part::Text("last reset: requested"),
            Part::Text(""),
            Part::Text(""),
            Part::Text(""),
        ]),
        ResetReason::PowerOn | ResetReason::Watchdog => None,
    }
}

