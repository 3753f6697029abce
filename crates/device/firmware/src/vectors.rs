//! Interrupt handlers by role. The generated table in [`crate::board`] says which line leads where.

use crate::{clock, fault, ports, stack};

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

#[cortex_m_rt::exception]
fn SysTick() {
    if clock::CLOCK.interrupt() {
        stack::stop_guest();
    }
}
