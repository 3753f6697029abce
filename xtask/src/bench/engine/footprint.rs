//! What the engine takes in a binary: flash and static RAM, against the same binary without it.

use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::board::{self, Build, Core};

/// Sections in flash; `.data` is there once more as its initial values.
const FLASH: [&str; 4] = [".vector_table", ".text", ".rodata", ".data"];
/// Sections in RAM.
const RAM: [&str; 3] = [".data", ".bss", ".uninit"];

/// Bytes that the engine adds.
pub struct Footprint {
    pub flash_bytes: u64,
    pub static_bytes: u64,
    /// Of the flash: what carries the engine's name, arithmetic of the compiler's library, the rest.
    pub own_bytes: u64,
    pub library_bytes: u64,
}

/// Builds both binaries and compares them.
pub fn measure(core: &Core) -> Result<Footprint> {
    let build =
        |features| board::build(core, &Build { features, is_as_firmware: true, native: None });
    let (with, without) = (build("footprint")?, build("")?);
    let (with, without) = (Sizes::read(&with)?, Sizes::read(&without)?);
    Ok(Footprint {
        flash_bytes: with.flash - without.flash,
        static_bytes: with.ram - without.ram,
        own_bytes: with.own,
        library_bytes: with.library - without.library,
    })
}

struct Sizes {
    flash: u64,
    ram: u64,
    own: u64,
    library: u64,
}

impl Sizes {
    fn read(path: &Path) -> Result<Sizes> {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let elf = object::File::parse(&*bytes)?;
        let sum = |names: &[&str]| -> u64 {
            let named = names.iter().filter_map(|name| elf.section_by_name(name));
            named.map(|section| section.size()).sum()
        };
        let mut sizes = Sizes { flash: sum(&FLASH), ram: sum(&RAM), own: 0, library: 0 };
        for symbol in elf.symbols() {
            let is_placed = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
            let name = symbol.name().unwrap_or_default();
            if !is_placed {
                continue;
            }
            if name.contains("wasmbed") {
                sizes.own += symbol.size();
            } else if name.contains("compiler_builtins") || name.starts_with("__") {
                sizes.library += symbol.size();
            }
        }
        Ok(sizes)
    }
}
