//! What programs for emulated boards that measure or test something ask of QEMU: to write, to read the
//! command line, and to end. Leaves out what they measure, and with which clock.
//!
//! # Source
//! Arm, "Semihosting for AArch32 and AArch64", version 3.0.
#![no_std]

use core::arch::asm;

/// Operations.
const SYS_WRITE0: u32 = 0x04;
const SYS_GET_CMDLINE: u32 = 0x15;
const SYS_EXIT: u32 = 0x18;

/// How a run ends: a reason of `SYS_EXIT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum End {
    /// An ordinary end.
    Application = 0x20026,
    /// An error.
    RunTimeError = 0x20023,
}

fn semihost(operation: u32, argument: u32) {
    // SAFETY: the breakpoint is taken by QEMU, which reads and writes memory only as the operation says.
    unsafe {
        asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument, options(nostack));
    }
}

/// Ends the run.
pub fn exit(end: End) -> ! {
    loop {
        semihost(SYS_EXIT, end as u32);
    }
}

/// Writes `text`.
pub fn print(text: &str) {
    for byte in text.bytes() {
        print_byte(byte);
    }
}

/// Writes a number in decimal.
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
        print_byte(*digit);
    }
}

fn print_byte(byte: u8) {
    let text = [byte, 0];
    semihost(SYS_WRITE0, text.as_ptr() as u32);
}

/// The command line, ended by a zero, in `text`; what does not fit is left out, and then nothing is.
pub fn command_line(text: &mut [u8]) {
    let mut block = [text.as_mut_ptr() as u32, text.len() as u32];
    semihost(SYS_GET_CMDLINE, block.as_mut_ptr() as u32);
}
