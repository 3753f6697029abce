//! Interrupt handlers by role. The generated table in [`crate::board`] says which line leads where.

use crate::{clock, fault, ports, stack, watchdog};

/// The whole of a handler that wants the address of the frame which the processor saved, on
/// whichever stack.
macro_rules! with_frame {
    ($handler:path) => {
        core::arch::naked_asm!(
            "tst lr, #4",
            "ite eq",
            "mrseq r0, msp",
            "mrsne r0, psp",
            "b {handler}",
            handler = sym $handler,
        )
    };
}

/// An entry of the vector table.
pub type Vector = unsafe extern "C" fn();

/// Both lines of the console.
#[cfg(board_uplink = "ethernet")]
pub extern "C" fn console() {
    ports::CONSOLE.interrupt();
}

/// Both directions of the uplink.
#[cfg(board_uplink = "serial")]
pub extern "C" fn uplink() {
    ports::CONSOLE.interrupt();
}

/// Random bytes arrived.
#[cfg(board_entropy = "serial")]
pub extern "C" fn entropy() {
    ports::ENTROPY.interrupt();
}

/// The flash line.
pub extern "C" fn storage() {
    ports::STORAGE.interrupt();
}

/// The port of the guests. What arrives ends the sleep of the loop, which looks after them.
#[cfg(board_guest_uart = "serial")]
pub extern "C" fn guest_uart() {
    ports::GUEST_UART.interrupt();
}

/// A frame arrived.
#[cfg(board_uplink = "ethernet")]
pub extern "C" fn ethernet() {
    ports::ETHERNET_LINE.interrupt();
}

/// A line that nobody asked for: the board file is wrong, or the hardware is.
pub extern "C" fn unexpected() {
    fault::unexpected_interrupt();
}

/// The timer came round. Above all other interrupts, to find even one of them that hangs, and
/// nearly without a stack of its own: what the clock has to do waits until the others are done.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn SysTick() {
    with_frame!(watchdog::tick)
}

/// Time of the loop is over, or of a slice.
#[cortex_m_rt::exception]
fn PendSV() {
    if clock::CLOCK.interrupt() {
        stack::stop_guest();
    }
}

/// The watchdog had no word from the loop for a while.
#[cfg(board_watchdog = "cmsdk")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn NonMaskableInt() {
    with_frame!(watchdog::expired)
}
