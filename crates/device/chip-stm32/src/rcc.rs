//! Clocks and pins that the serial ports need, one module for each family: their registers have
//! nothing in common.

pub mod stm32f1;
pub mod stm32f4;

#[cfg(test)]
mod silicon;
