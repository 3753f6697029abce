//! Building the firmware of each board, and the example guests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::{paths, process, setup};

/// A board and what building for it takes.
#[derive(Clone, Debug)]
pub struct Board {
    /// Folder name in `boards/`.
    pub name: String,
    /// Rust target.
    pub target: String,
}

/// Every board of the catalog.
pub fn all() -> Result<Vec<Board>> {
    Ok(wasmbed_catalog::BOARDS.iter().map(Board::of).collect())
}

/// The board with this name, or with this display name.
pub fn find(name: &str) -> Result<Board> {
    wasmbed_catalog::board(name).map(Board::of).map_err(|error| anyhow!("{error}"))
}

impl Board {
    fn of(board: &wasmbed_catalog::Board) -> Self {
        Self { name: board.name.to_owned(), target: board.target.to_owned() }
    }
}

/// The limits of one board.
pub fn budget(name: &str) -> Result<toml::Table> {
    let path = paths::root().join("boards").join(name).join("budget.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    text.parse().with_context(|| format!("parse {}", path.display()))
}

/// `cargo xtask firmware [BOARD]`.
pub fn build_command(name: Option<&str>) -> Result<()> {
    let chosen = name.map_or_else(all, |name| Ok(vec![find(name)?]))?;
    setup::run(&setup::Options::default())?;
    for board in chosen {
        println!("{}", build(&board)?.display());
    }
    Ok(())
}

/// Builds one board's firmware and returns the folder with `firmware.elf` and `board.dtb`.
pub fn build(board: &Board) -> Result<PathBuf> {
    let target_folder = paths::target().join("firmware");
    let elf = build_elf(&paths::root(), &board.name, &board.target, &target_folder)?;
    let folder = paths::boards().join(&board.name);
    std::fs::create_dir_all(&folder)?;
    copy_if_changed(&elf, &folder.join("firmware.elf"))?;
    copy_if_changed(&elf.with_extension("dtb"), &folder.join("board.dtb"))?;
    Ok(folder)
}

/// Builds the firmware of one board from the checkout at `root`, and returns its ELF file, with the
/// device tree blob beside it. The next board's replaces both.
pub fn build_elf(root: &Path, name: &str, target: &str, target_folder: &Path) -> Result<PathBuf> {
    let mut cargo = setup::cargo(target)?;
    cargo
        .current_dir(root)
        .args(["build", "--quiet", "--package", "wasmbed-firmware", "--profile", "firmware"])
        .args(["--target", target, "--target-dir"])
        .arg(target_folder)
        .env("WASMBED_BOARD", name);
    process::capture(&mut cargo).with_context(|| format!("firmware of {name}"))?;
    Ok(target_folder.join(target).join("firmware/wasmbed-firmware"))
}

/// Replaces a file in one step, so that a running emulator keeps the one it has mapped.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("read {}", from.display()))?;
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let partial = to.with_extension("partial");
    std::fs::copy(from, &partial)?;
    std::fs::rename(partial, to)?;
    Ok(())
}

/// Builds the example guests and returns the folder with their `.wasm` files.
pub fn build_guests() -> Result<PathBuf> {
    let mut cargo = setup::cargo("wasm32v1-none")?;
    cargo
        .current_dir(paths::root().join("examples/guests"))
        .args(["build", "--quiet", "--release", "--target", "wasm32v1-none", "--target-dir"])
        .arg(paths::target().join("guests"));
    process::capture(&mut cargo).context("the example guests")?;
    Ok(paths::guests())
}

/// Builds the host binary.
pub fn build_host() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root()).args(["build", "--package", "wasmbed-cli"]);
    process::show(&mut cargo).context("the host binary")?;
    Ok(paths::wasmbed())
}

/// Builds the host binary that gives away the secrets of its sessions, for the test of the wire.
///
/// Only the two crates that the feature touches are built again; their result then has a name of
/// its own, and the binary that users start is put back.
pub fn build_host_with_key_log() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root()).args(["build", "--package", "wasmbed-cli"]);
    cargo.args(["--features", "keylog"]);
    process::show(&mut cargo).context("the host binary with a key log")?;
    let named = paths::wasmbed_with_key_log();
    let copied = copy_if_changed(&paths::wasmbed(), &named);
    build_host()?;
    copied?;
    Ok(named)
}
