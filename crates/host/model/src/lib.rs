//! Domain types and pure planning: what should be done, decided from what was observed.
//!
//! No Kubernetes client, no I/O, no clock: services observe, call a function here, and carry out
//! what it answers.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod application;
pub mod condition;
pub mod desired;
pub mod device;
pub mod enrollment;
pub mod gateway;
pub mod host_interface;
pub mod ids;
pub mod image_store;
pub mod session;
pub mod source_map;
