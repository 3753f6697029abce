//! What the whole-system tests share: a platform of their own, driven as a user drives it.

pub mod capture;
pub mod cli;
pub mod control_plane;
pub mod conversation;
pub mod counting;
pub mod filling;
pub mod fleet;
pub mod modules;
pub mod platform;
pub mod roles;
pub mod tls_records;
