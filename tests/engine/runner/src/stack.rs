//! The loop's own stack, as on devices: interrupts keep the other one.

use core::arch::asm;
use core::ptr::{read_volatile, write_volatile};

const PAINT: u32 = u32::from_be_bytes(*b"free");

unsafe extern "C" {
    static mut __sheap: u32;
    static _stack_start: u32;
    static _main_stack_bytes: u32;
}

fn top() -> usize {
    (&raw const _stack_start) as usize - (&raw const _main_stack_bytes) as usize
}

fn bottom() -> usize {
    (&raw const __sheap) as usize
}

/// Moves to the loop's stack and calls `body` there.
pub fn run(body: extern "C" fn() -> !) -> ! {
    for word in (bottom()..top()).step_by(4) {
        // SAFETY: between the statics and the stack that is in use nothing lives.
        unsafe { write_volatile(word as *mut u32, PAINT) };
    }
    // SAFETY: the stack below `top` is nobody's, and the one in use lies above it.
    unsafe {
        asm!(
            "msr psp, {top}",
            "msr control, {select}",
            "isb",
            "bx {body}",
            top = in(reg) top(),
            select = in(reg) 2,
            body = in(reg) body,
            options(noreturn)
        )
    }
}

/// Bytes of the loop's stack that were ever used.
pub fn used_bytes() -> u32 {
    let mut word = bottom();
    // SAFETY: reads stay below the caller's own frame, which is not paint.
    while unsafe { read_volatile(word as *const u32) } == PAINT {
        word += 4;
    }
    (top() - word) as u32
}
