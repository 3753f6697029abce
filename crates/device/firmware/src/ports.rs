//! The board's peripherals by role, and their start.

use crate::{board, limits};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::{NVIC, SCB};
use wasmbed_hal::Ring;
#[cfg(board_entropy = "serial")]
use wasmbed_hal::Serial;

#[cfg(board_chip = "mps2")]
use wasmbed_chip_mps2::{Lan9118, Uart as Port, lan9118::StartError};
#[cfg(board_chip = "stm32")]
use wasmbed_chip_stm32::Usart as Port;

/// Declares a port of the board file, with its rings.
macro_rules! port {
    ($(#[$attribute:meta])* $name:ident, $place:ident, $receive:expr, $send:expr) => {
        $(#[$attribute])*
        pub static $name: Port = {
            static RECEIVED: Ring<[u8; $receive]> = Ring::new();
            static QUEUED: Ring<[u8; $send]> = Ring::new();
            // SAFETY: the board file places this port there, and this is its only taker.
            unsafe { Port::new(board::$place::BASE, &RECEIVED, &QUEUED) }
        };
    };
}

port! {
    /// Boot and fault messages.
    #[cfg(board_uplink = "ethernet")]
    CONSOLE, console, 2, limits::CONSOLE_SEND_BYTES
}

port! {
    /// The uplink, which carries the console too.
    #[cfg(board_uplink = "serial")]
    CONSOLE, uplink, limits::UPLINK_RECEIVE_BYTES, limits::UPLINK_SEND_BYTES
}

port! {
    /// The source of random bytes.
    #[cfg(board_entropy = "serial")]
    ENTROPY, entropy, limits::ENTROPY_RECEIVE_BYTES, 2
}

port! {
    /// The flash line.
    STORAGE, storage, limits::STORAGE_RECEIVE_BYTES, limits::STORAGE_SEND_BYTES
}

port! {
    /// The port that guests may use.
    #[cfg(board_guest_uart = "serial")]
    GUEST_UART, guest_uart, limits::GUEST_UART_BYTES, limits::GUEST_UART_BYTES
}

// SAFETY: the board file places the controller there; this handle serves its interrupt only.
/// The Ethernet controller, as its interrupt sees it.
#[cfg(board_uplink = "ethernet")]
pub static ETHERNET_LINE: Lan9118 = unsafe { Lan9118::new(board::ethernet::BASE) };

/// An interrupt line of the board file.
#[derive(Clone, Copy)]
struct Line(u16);

// SAFETY: the number is below the count of lines in the board file, which the build checks.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

/// Switches clocks, serial ports and Ethernet on, and lets their interrupts through. Answers what
/// does not work, if anything.
pub fn start(nvic: &mut NVIC, scb: &mut SCB) -> Option<&'static str> {
    // Without the PLL the ports run at a fraction of their speed: nothing is left to say it on.
    #[cfg(board_clocks = "stm32f1")]
    {
        use board::peripherals::{GPIOA, GPIOB, RCC};
        use wasmbed_chip_stm32::rcc::stm32f1::Rcc;
        const { assert!(board::CLOCK_HZ == Rcc::CORE_HZ) };
        // SAFETY: the board file places these blocks there, and this is their only taker.
        let rcc = unsafe { Rcc::new(RCC, GPIOA, GPIOB) };
        rcc.start();
    }
    #[cfg(board_clocks = "stm32f4")]
    {
        use board::peripherals::{FLASH_INTERFACE, GPIOA, GPIOB, GPIOC, RCC};
        use wasmbed_chip_stm32::rcc::stm32f4::Rcc;
        const { assert!(board::CLOCK_HZ == Rcc::CORE_HZ) };
        // SAFETY: the board file places these blocks there, and this is their only taker.
        let rcc = unsafe { Rcc::new(RCC, FLASH_INTERFACE, [GPIOA, GPIOB, GPIOC]) };
        rcc.start();
    }
    CONSOLE.start(board::console::CLOCK_HZ, board::console::SPEED);
    #[cfg(board_entropy = "serial")]
    ENTROPY.start(board::entropy::CLOCK_HZ, board::entropy::SPEED);
    STORAGE.start(board::storage::CLOCK_HZ, board::storage::SPEED);
    #[cfg(board_guest_uart = "serial")]
    GUEST_UART.start(board::guest_uart::CLOCK_HZ, board::guest_uart::SPEED);
    // Before its reset the controller asserts its line for good, so this comes before the loop below.
    #[cfg(board_uplink = "ethernet")]
    let complaint = match ETHERNET_LINE.start() {
        Ok(()) => None,
        Err(StartError::NotThere) => Some("the Ethernet controller is not there"),
        Err(StartError::Stuck) => Some("the Ethernet controller does not leave its reset"),
    };
    #[cfg(board_uplink = "serial")]
    let complaint = None;
    // The timer watches over the loop, above all others; what tells the time waits for them.
    let last = board::INTERRUPTS.iter().map(|(_, priority)| *priority).max().unwrap_or(0);
    // SAFETY: no critical section of ours relies on priorities; all use PRIMASK.
    unsafe { scb.set_priority(SystemHandler::PendSV, last) };
    for (number, priority) in board::INTERRUPTS {
        let line = Line(number);
        // SAFETY: no critical section of ours relies on priorities; all use PRIMASK.
        unsafe { nvic.set_priority(line, priority) };
        // SAFETY: the same; every handler is in the table already.
        unsafe { NVIC::unmask(line) };
    }
    complaint
}

/// Fills `target` with random bytes. False if the source fell silent.
#[cfg(board_entropy = "serial")]
pub fn random(target: &mut [u8]) -> bool {
    target.iter_mut().all(|byte| {
        let is_idle = || !ENTROPY.has_received();
        let fresh = crate::clock::wait(limits::SILENCE_US, is_idle, || ENTROPY.read());
        fresh.map(|fresh| *byte = fresh).is_some()
    })
}

/// The board file names no source, and there is no other one: nothing is ever made up.
#[cfg(not(board_entropy = "serial"))]
pub fn random(_: &mut [u8]) -> bool {
    false
}
