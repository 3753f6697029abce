//! Semihosting, and the clock of instructions.

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

/// CMSDK timer 0: control, value, reload. It counts down at 25 MHz.
///
/// # Source
/// Arm DAI 0385D, memory map; Arm DDI 0479C, "APB timer", programmers model.
const TIMER_CONTROL: *mut u32 = 0x4000_0000 as *mut u32;
const TIMER_VALUE: *mut u32 = 0x4000_0004 as *mut u32;
const TIMER_RELOAD: *mut u32 = 0x4000_0008 as *mut u32;

/// With `-icount shift=6` an instruction takes 64 ns, which are 8/5 ticks of the timer and of SysTick.
const TICKS: u32 = 8;
const INSTRUCTIONS: u32 = 5;

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
        write_volatile(TIMER_RELOAD, u32::MAX);
        write_volatile(TIMER_VALUE, u32::MAX);
        write_volatile(TIMER_CONTROL, 1);
    }
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

/// Writes a number.
pub fn print_number(mut number: u32) {
    let mut digits = [b'0'; 10];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    for digit in &digits[first..] {
        let buffer = [*digit, 0];
        semihost(SYS_WRITE0, buffer.as_ptr() as u32);
    }
}

/// Writes a line: two words and numbers.
pub fn line(program: &str, what: &str, numbers: &[u32]) {
    print(program);
    print(" ");
    print(what);
    for number in numbers {
        print(" ");
        print_number(*number);
    }
    print("\n");
}

/// Ticks since `start`, modulo 2^32.
#[inline(always)]
pub fn ticks() -> u32 {
    // SAFETY: a read of the timer's counter, which `start` set up.
    unsafe { !read_volatile(TIMER_VALUE) }
}

#[inline(never)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, u32) {
    let before = ticks();
    let result = work();
    let after = ticks();
    (result, after.wrapping_sub(before))
}

/// Runs `work`; gives its result and the instructions it executed, less those of counting.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, u32) {
    let ((), nothing) = timed(|| ());
    let (result, ticks) = timed(work);
    (result, to_instructions(ticks.saturating_sub(nothing)))
}

/// Instructions that take as many ticks.
pub fn to_instructions(ticks: u32) -> u32 {
    (u64::from(ticks) * u64::from(INSTRUCTIONS) / u64::from(TICKS)) as u32
}

/// Ticks that as many instructions take.
#[cfg(feature = "engine")]
pub fn to_ticks(instructions: u32) -> u32 {
    (u64::from(instructions) * u64::from(TICKS) / u64::from(INSTRUCTIONS)) as u32
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print("panic at line ");
    print_number(info.location().map_or(0, |location| location.line()));
    print("\n");
    exit(1)
}
