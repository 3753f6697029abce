//! Reads `board.dts`, checks it against its bindings and generates what depends on it: linker
//! script, addresses for the firmware, the entry of the catalog, the compiled `.dtb`.
//!
//! A build dependency: it runs on the machine that compiles and reports mistakes with the place in
//! the board file. Overlays (`/plugin/`), `/incbin/` and C macros with arguments are refused by name.

mod binding;
mod blob;
mod board;
mod error;
mod expression;
mod generate;
mod lexer;
pub mod limits;
mod page;
mod parser;
mod resolve;
mod tree;

pub use binding::Bindings;
pub use board::{
    Board, Chip, Clocks, Driver, Emulation, Ethernet, GuestHardware, Guests, I2c, Interrupt, Pins,
    Port, Protection, Region, Role, Storage, Uart, Uplink, Watchdog, WatchdogDriver,
};
pub use error::{Error, Place};
pub use generate::{
    catalog_entries, firmware_choices, firmware_constants, interrupts, linker_script,
};
pub use page::page;
pub use tree::{Cell, Node, Piece, Property, Reference, Tree};

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A board file, read, resolved and checked.
#[derive(Debug)]
pub struct Compiled {
    /// What the tree says, as typed facts.
    pub board: Board,
    /// The flattened tree, as `dtc` writes it.
    pub dtb: Vec<u8>,
    /// SHA-256 of `dtb`.
    pub dtb_digest: [u8; 32],
    /// Every file that was read; a build script watches them.
    pub sources: Vec<PathBuf>,
}

/// Parses `path` and everything it includes, and resolves labels and handles.
///
/// `includes` are searched, in order, after the folder of the including file.
///
/// # Errors
/// The first mistake, with its place.
pub fn parse(path: &Path, includes: &[PathBuf]) -> Result<Tree, Error> {
    let mut tree = parser::parse(path, includes)?;
    resolve::resolve(&mut tree)?;
    Ok(tree)
}

/// Flattens a tree that [`parse`] made into the bytes of a `.dtb`.
pub fn flatten(tree: &Tree) -> Vec<u8> {
    blob::flatten(tree)
}

/// Reads, checks and interprets one board file.
///
/// `dts` is the folder with the chip files; its `bindings` folder holds the schemas.
///
/// # Errors
/// The first mistake, with its place.
pub fn compile(path: &Path, dts: &Path) -> Result<Compiled, Error> {
    let tree = parse(path, &[dts.to_path_buf()])?;
    let bindings = Bindings::load(&dts.join("bindings"))?;
    bindings.check(&tree)?;
    let board = board::interpret(&tree)?;
    let dtb = blob::flatten(&tree);
    let dtb_digest = Sha256::digest(&dtb).into();
    let mut sources = tree.sources.clone();
    sources.extend(bindings.sources().iter().cloned());
    Ok(Compiled { board, dtb, dtb_digest, sources })
}

#[cfg(test)]
mod tests;
