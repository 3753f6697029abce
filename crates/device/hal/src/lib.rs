//! What chips and firmware agree on: volatile register cells, byte rings between an interrupt and
//! the loop, peripheral traits, the two-wire protocol, and what every core has: one timer, and the
//! protection of memory. No address of a board is here.
#![cfg_attr(not(test), no_std)]
#![expect(unsafe_code, reason = "register cells and rings are the door to the hardware")]

pub mod ethernet;
pub mod mpu;
pub mod register;
pub mod ring;
pub mod serial;
pub mod systick;
pub mod two_wire;

pub use ethernet::Ethernet;
pub use mpu::Mpu;
pub use ring::Ring;
pub use serial::Serial;
pub use systick::SysTick;
