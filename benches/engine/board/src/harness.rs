//! The clock of instructions, and lines of numbers.

use core::panic::PanicInfo;
use core::ptr::{read_volatile, write_volatile};

use semihosting_of_qemu::{End, exit, print, print_number};

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

/// Starts the clock.
pub fn start() {
    // SAFETY: the addresses are the timer's on these boards, and nothing else uses it here.
    unsafe {
        write_volatile(TIMER_RELOAD, u32::MAX);
        write_volatile(TIMER_VALUE, u32::MAX);
        write_volatile(TIMER_CONTROL, 1);
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
    exit(End::RunTimeError)
}
