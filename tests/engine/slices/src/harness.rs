//! Semihosting, the clock of instructions, and the stack that guests run on.

use core::arch::asm;
use core::panic::PanicInfo;
use core::ptr::{read_volatile, write_volatile};

/// Semihosting operations.
///
/// # Source
/// Arm, "Semihosting for AArch32 and AArch64", version 3.0.
const SYS_WRITE0: u32 = 0x04;
const SYS_EXIT: u32 = 0x18;
/// The reasons of `SYS_EXIT`: an ordinary end, and an error.
const APPLICATION_EXIT: u32 = 0x20026;
const RUN_TIME_ERROR: u32 = 0x20023;

/// CMSDK timers 0 and 1: control, value, reload, interrupt. They count down at 25 MHz.
///
/// # Source
/// Arm DAI 0385D, memory map; Arm DDI 0479C, "APB timer", programmers model.
const TIMER_0: *mut u32 = 0x4000_0000 as *mut u32;
/// See [`TIMER_0`].
const TIMER_1: *mut u32 = 0x4000_1000 as *mut u32;

/// SysTick control, reload and current value.
///
/// # Source
/// Armv7-M Architecture Reference Manual, section B3.3.
const SYST_CSR: *mut u32 = 0xe000_e010 as *mut u32;
const SYST_RVR: *mut u32 = 0xe000_e014 as *mut u32;
const SYST_CVR: *mut u32 = 0xe000_e018 as *mut u32;

fn semihost(operation: u32, argument: u32) -> u32 {
    let result;
    // SAFETY: the breakpoint is taken by QEMU, which reads memory only as the operation says.
    unsafe {
        asm!("bkpt 0xab", inout("r0") operation => result, in("r1") argument, options(nostack));
    }
    result
}

/// Starts the clock.
pub fn start() {
    // SAFETY: the addresses are the timer's on these boards, and nothing else uses it here.
    unsafe {
        write_volatile(TIMER_0.add(2), u32::MAX);
        write_volatile(TIMER_0.add(1), u32::MAX);
        write_volatile(TIMER_0, 1);
    }
}

/// Moves to a stack of its own for everything but interrupts, and goes on there.
pub fn on_process_stack(top: *mut u32, body: extern "C" fn() -> !) -> ! {
    // SAFETY: the caller owns the memory below `top`, and interrupts keep the former stack.
    unsafe {
        asm!(
            "msr psp, {top}",
            "msr control, {select}",
            "isb",
            "bx {body}",
            top = in(reg) top,
            select = in(reg) 2,
            body = in(reg) body,
            options(noreturn)
        )
    }
}

/// Makes SysTick interrupt once, after about as many instructions; 0 turns it off.
pub fn interrupt_after(instructions: u32) {
    // SAFETY: the addresses are SysTick's on every Armv7-M core, and nothing else uses it here.
    unsafe {
        write_volatile(SYST_CSR, 0);
        if instructions != 0 {
            write_volatile(SYST_RVR, (instructions * 8 / 5).max(2));
            write_volatile(SYST_CVR, 0);
            write_volatile(SYST_CSR, 7);
        }
    }
}

/// Makes timer 1 interrupt every so many instructions; 0 turns it off.
pub fn disturb_every(instructions: u32) {
    // SAFETY: the addresses are the timer's on these boards, and nothing else uses it here.
    unsafe {
        write_volatile(TIMER_1, 0);
        if instructions != 0 {
            write_volatile(TIMER_1.add(2), instructions * 8 / 5);
            write_volatile(TIMER_1.add(1), instructions * 8 / 5);
            write_volatile(TIMER_1, 9);
        }
    }
}

/// Forgets that timer 1 has interrupted.
pub fn disturbed() {
    // SAFETY: as above; a 1 clears the interrupt.
    unsafe { write_volatile(TIMER_1.add(3), 1) };
}

/// Instructions since `start`, with `-icount shift=6`: one takes 64 ns, which are 8/5 ticks.
pub fn instructions() -> u64 {
    // SAFETY: a read of the timer's counter, which `start` set up.
    u64::from(!unsafe { read_volatile(TIMER_0.add(1)) }) * 5 / 8
}

/// Ends the run.
pub fn exit(code: u32) -> ! {
    semihost(SYS_EXIT, if code == 0 { APPLICATION_EXIT } else { RUN_TIME_ERROR });
    loop {
        cortex_m::asm::nop();
    }
}

/// Writes `text`.
pub fn print(text: &str) {
    for byte in text.bytes() {
        let buffer = [byte, 0];
        semihost(SYS_WRITE0, buffer.as_ptr() as u32);
    }
}

/// Writes a line: words, then numbers in hex.
pub fn line(words: &[&str], numbers: &[u64]) {
    for word in words {
        print(word);
        print(" ");
    }
    for number in numbers {
        let digits = 16 - (number.leading_zeros() / 4).min(15);
        for digit in (0..digits).rev() {
            let nibble = (number >> (digit * 4) & 15) as u8;
            let byte = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            let buffer = [byte, 0];
            semihost(SYS_WRITE0, buffer.as_ptr() as u32);
        }
        print(" ");
    }
    print("\n");
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print("panic ");
    line(&[], &[u64::from(info.location().map_or(0, |location| location.line()))]);
    exit(1)
}
