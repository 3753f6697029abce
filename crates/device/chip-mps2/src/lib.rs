//! Drivers of the Arm MPS2 FPGA images: the UART of the Cortex-M System Design Kit, its timer as a
//! counter, its watchdog, LEDs and buttons, the two-wire bus, and the LAN9118 Ethernet controller.
//! Addresses come from the board file.
#![cfg_attr(not(test), no_std)]
#![expect(unsafe_code, reason = "drivers reach their registers through a pointer")]

pub mod fpgaio;
pub mod lan9118;
pub mod sbcon;
pub mod timer;
pub mod uart;
pub mod watchdog;

pub use fpgaio::Pins;
pub use lan9118::Lan9118;
pub use sbcon::SbCon;
pub use timer::Timer;
pub use uart::Uart;
pub use watchdog::Watchdog;
