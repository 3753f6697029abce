//! What the whole-system tests share: a platform of their own, driven as a user drives it.

pub mod authentication;
pub mod capture;
pub mod chance;
pub mod cli;
pub mod console;
pub mod control_plane;
pub mod conversation;
pub mod counting;
pub mod filling;
pub mod fleet;
pub mod gdb;
pub mod modules;
pub mod platform;
pub mod recording;
pub mod roles;
mod serial_capture;
pub mod tls_records;
