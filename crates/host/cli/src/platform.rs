//! The platform: its roles, each wired to the others, on one machine or one role at a time.

pub mod cluster;
pub mod data_dir;
pub mod embedded;
pub mod gateway;
pub mod live_api;
pub mod live_backend;
pub mod log;
pub mod parts;
pub mod patience;
pub mod serve;
pub mod signals;
pub mod up;

use std::path::PathBuf;

/// Namespace of the platform's own gateway, unless told otherwise.
pub const NAMESPACE: &str = "default";

/// Unix time in seconds.
pub fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Where the firmware of each board is, unless told otherwise: beside the program, as a build or an
/// installation leaves it.
pub fn default_boards() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.parent().and_then(|folder| folder.parent()).map(|up| up.join("boards"));
    match beside {
        Some(folder) if folder.is_dir() => folder,
        _ => PathBuf::from("/usr/share/wasmbed/boards"),
    }
}
