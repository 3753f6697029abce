//! Drivers of the STM32 family.
