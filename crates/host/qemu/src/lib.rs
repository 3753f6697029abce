//! Starts, wires, watches and stops emulated boards.

mod board;
mod cable;
mod capture;
mod command;
mod console;
mod desk;
mod entropy;
mod flash;
mod impairment;
mod leftover;
pub mod limits;
mod line;
mod process;
mod provision;
#[cfg(test)]
mod pty;
mod qmp;
#[cfg(test)]
mod scratch;
mod service;
mod socket;
mod uplink;
mod upstream;

pub use board::{
    Board, BoardConfig, BoardError, BoardStatus, CONSOLE_FILE, Crash, FLASH_FILE, Phase,
};
pub use cable::{
    Cable, CableConfig, CableCounters, PREFIX_BITS, RELAY_ADDRESS, RELAY_PORT, STATION_ADDRESS,
};
pub use console::Console;
pub use desk::{DeskLine, DeskService};
pub use flash::{FlashCounters, FlashError, FlashFile, FlashServer};
pub use impairment::{CERTAIN_PPM, Harm, Impairment, Partition};
pub use process::Exit;
pub use provision::{Provision, ProvisionError, provision};
pub use qmp::{Event, Qmp, QmpError};
pub use service::{Config, Error, run};
pub use uplink::{LineEnd, Uplink, UplinkConfig, UplinkCounters};
