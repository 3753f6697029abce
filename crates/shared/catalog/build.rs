//! Generates the list of boards from `boards/*/board.dts`.

use std::error::Error;
use std::path::{Path, PathBuf};
use wasmbed_devicetree::{Compiled, catalog_entries, compile};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize()?;
    let boards = root.join("boards");
    println!("cargo::rerun-if-changed={}", boards.display());
    let mut files: Vec<PathBuf> = std::fs::read_dir(&boards)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("board.dts")))
        .filter(|file| file.is_file())
        .collect();
    files.sort();
    let mut compiled: Vec<Compiled> = Vec::new();
    for file in files {
        let board = match compile(&file, &root.join("dts")) {
            Ok(board) => board,
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(1);
            }
        };
        for source in &board.sources {
            println!("cargo::rerun-if-changed={}", source.display());
        }
        compiled.push(board);
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("boards.rs");
    std::fs::write(out, catalog_entries(&compiled))?;
    Ok(())
}
