//! Drivers of the STM32 family: USART, watchdog, and clock and pin set-up of the STM32F1 and the STM32F405.
//! Addresses come from the board file.
#![cfg_attr(not(test), no_std)]
#![expect(unsafe_code, reason = "drivers reach their registers through a pointer")]

pub mod rcc;
pub mod usart;
pub mod watchdog;

pub use usart::Usart;
pub use watchdog::Watchdog;
