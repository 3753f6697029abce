//! The loop's own stack: interrupts keep the other one, so that a guest or the session can never
//! take the room that a fault needs. Below the loop's stack the RAM ends.

use crate::board;
use core::arch::asm;

/// Painted into the free stack, to see later how deep it went.
const PAINT: u32 = u32::from_be_bytes(*b"free");

unsafe extern "C" {
    static _loop_stack_start: u32;
    static _loop_stack_end: u32;
    static _stack_start: u32;
}

/// Moves to the loop's stack and calls `body` there. What was on the former stack stays unused;
/// interrupts use it from its beginning.
pub fn run(body: extern "C" fn() -> !) -> ! {
    paint();
    let top = &raw const _loop_stack_start;
    #[cfg(board_protection = "v8")]
    limit();
    // SAFETY: the linker script reserves the range below `top` for this stack and checks that
    // nothing else lies in it; the stack pointer in use now lies above it.
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

/// Tells the core where both stacks end: it checks before it writes.
#[cfg(board_protection = "v8")]
fn limit() {
    let interrupts_end = (&raw const _stack_start).addr() - board::INTERRUPT_STACK_BYTES;
    let loop_end = (&raw const _loop_stack_end).addr();
    // SAFETY: the stack in use now is that of interrupts, and lies above its end.
    unsafe { asm!("msr msplim, {end}", end = in(reg) interrupts_end) };
    // SAFETY: the other stack is not in use yet.
    unsafe { asm!("msr psplim, {end}", end = in(reg) loop_end) };
}

/// Makes the guest that runs stop where it is, if one does. To be called by the interrupt that ends
/// time slices, whatever else it interrupted.
///
/// The executor in Rust looks at the clock's flag instead.
#[cfg(feature = "portable")]
pub const fn stop_guest() {}

/// Makes the guest that runs stop where it is, if one does. To be called by the interrupt that ends
/// time slices, whatever else it interrupted.
#[cfg(not(feature = "portable"))]
pub fn stop_guest() {
    let frame = cortex_m::register::psp::read() as *mut wasmbed_engine::ExceptionFrame;
    // SAFETY: the loop never leaves the process stack after `run`, and no slice begins before: so the
    // loop's frame is at its end, even if this interrupt came while another was handled.
    unsafe { wasmbed_engine::preempt(frame) };
}

fn paint() {
    let mut word = (&raw const _loop_stack_end).cast_mut();
    while word.cast_const() < &raw const _loop_stack_start {
        // SAFETY: the range is reserved for the loop's stack, which nobody uses yet.
        unsafe { word.write_volatile(PAINT) };
        // SAFETY: at most one past the end of the range.
        word = unsafe { word.add(1) };
    }
}

/// Whether a frame at `address` lies in its stack: the loop's, or that of interrupts.
pub fn holds(address: usize, is_loop: bool) -> bool {
    let (start, bytes) = if is_loop {
        ((&raw const _loop_stack_start).addr(), board::STACK_BYTES)
    } else {
        ((&raw const _stack_start).addr(), board::INTERRUPT_STACK_BYTES)
    };
    // One at the very start would be an empty stack, which an exception never leaves.
    start.wrapping_sub(address).wrapping_sub(1) < bytes
}

/// Bytes of the loop's stack that were never used.
pub fn unused_bytes() -> u32 {
    let end = &raw const _loop_stack_end;
    let mut word = end;
    // SAFETY: reads stay inside of the reserved range: the caller's own frame is not paint.
    while unsafe { word.read_volatile() } == PAINT {
        // SAFETY: as above.
        word = unsafe { word.add(1) };
    }
    (word as usize - end as usize) as u32
}
