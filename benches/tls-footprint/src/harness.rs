//! The clock of instructions, and the painted stack.

use core::panic::PanicInfo;
use core::ptr::{addr_of, read_volatile, write_volatile};

use semihosting_of_qemu::{End, command_line, exit, print, print_number};

/// SysTick control, reload and current value.
///
/// # Source
/// Armv7-M Architecture Reference Manual, section B3.3.
const SYST_CSR: *mut u32 = 0xe000_e010 as *mut u32;
const SYST_RVR: *mut u32 = 0xe000_e014 as *mut u32;
const SYST_CVR: *mut u32 = 0xe000_e018 as *mut u32;

/// Instructions a tick stands for, times 1000: with `-icount shift=0` one takes a nanosecond, and the
/// board's SysTick counts at 24 MHz.
const INSTRUCTIONS_PER_THOUSAND_TICKS: u64 = 41_667;

const PAINT: u32 = 0xa5a5_5a5a;

unsafe extern "C" {
    static mut __sheap: u32;
    static _stack_start: u32;
}

/// Starts the clock.
pub fn start() {
    // SAFETY: the addresses are SysTick's on every Armv7-M core, and nothing else uses it here.
    unsafe {
        write_volatile(SYST_RVR, 0x00ff_ffff);
        write_volatile(SYST_CVR, 0);
        write_volatile(SYST_CSR, 5);
    }
}

/// The number behind `trace` on the command line.
pub fn argument() -> Option<u8> {
    let mut text = [0_u8; 64];
    command_line(&mut text);
    let mut words = text.split(|byte| *byte == b' ' || *byte == 0);
    words.find(|word| *word == b"trace")?;
    words.next()?.first().map(|digit| digit.wrapping_sub(b'0'))
}

fn ticks() -> u32 {
    // SAFETY: a read of SysTick's counter, which `start` set up.
    unsafe { 0x00ff_ffff - read_volatile(SYST_CVR) }
}

/// Runs `work` and writes what it cost: bytes of stack below the end of RAM, bytes below the caller,
/// instructions.
#[inline(never)]
pub fn measure<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let bottom = addr_of!(__sheap) as usize;
    let top = addr_of!(_stack_start) as usize;
    let here = cortex_m::register::msp::read() as usize;
    let mut at = bottom;
    while at < here - 16 {
        // SAFETY: between the statics and this function's frame nothing lives.
        unsafe { write_volatile(at as *mut u32, PAINT) };
        at += 4;
    }
    let before = ticks();
    let result = work();
    let after = ticks();
    let mut lowest = bottom;
    // SAFETY: as above; the end of RAM is never reached because this frame is not painted.
    while unsafe { read_volatile(lowest as *const u32) } == PAINT {
        lowest += 4;
    }
    let elapsed = u64::from(after.wrapping_sub(before) & 0x00ff_ffff);
    print(name);
    print(" ");
    print_number((top - lowest) as u32);
    print(" ");
    print_number(here.saturating_sub(lowest) as u32);
    print(" ");
    // At most 2^24 ticks.
    print_number((elapsed * INSTRUCTIONS_PER_THOUSAND_TICKS / 1000) as u32);
    print("\n");
    result
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    print("panic\n");
    exit(End::RunTimeError)
}
