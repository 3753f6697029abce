//! What the engine takes in a binary: flash and static RAM, against the same binary without it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::board::{self, Build, Core};

/// Sections in flash; `.data` is there once more as its initial values.
const FLASH: [&str; 4] = [".vector_table", ".text", ".rodata", ".data"];
/// Sections in RAM.
const RAM: [&str; 3] = [".data", ".bss", ".uninit"];
/// Symbols around the assembly core.
const CORE: [&str; 2] = ["wasmbed_engine_core_begin", "wasmbed_engine_core_end"];
/// Its tables of handlers.
const TABLES: [&str; 3] = ["wasmbed_engine_stop", "wasmbed_engine_plain", "wasmbed_engine_metered"];

/// What a part of the flash is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// The assembly core.
    Core,
    /// Its tables.
    Tables,
    /// Soft float, division, copying: the compiler's library.
    Library,
    /// Everything else, in Rust.
    Rust,
}

/// Bytes that the engine adds.
pub struct Footprint {
    pub flash_bytes: u64,
    pub static_bytes: u64,
    /// The flash by parts.
    pub parts: BTreeMap<Part, u64>,
}

/// Builds both binaries and compares them.
pub fn measure(core: &Core) -> Result<Footprint> {
    let build =
        |features| board::build(core, &Build { features, is_as_firmware: true, native: None });
    let (with, without) = (build("footprint")?, build("")?);
    let (with, without) = (Sizes::read(&with)?, Sizes::read(&without)?);
    let flash_bytes = with.flash - without.flash;
    let mut parts = with.parts;
    for (part, bytes) in without.parts {
        *parts.entry(part).or_default() -= bytes;
    }
    // Literals and strings have no symbols; most of them belong to code in Rust.
    let named: u64 = parts.values().sum();
    parts.insert(Part::Rust, flash_bytes - named);
    Ok(Footprint { flash_bytes, static_bytes: with.ram - without.ram, parts })
}

struct Sizes {
    flash: u64,
    ram: u64,
    /// The parts that are found by name.
    parts: BTreeMap<Part, u64>,
}

impl Sizes {
    fn read(path: &Path) -> Result<Sizes> {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let elf = object::File::parse(&*bytes)?;
        let sum = |names: &[&str]| -> u64 {
            let named = names.iter().filter_map(|name| elf.section_by_name(name));
            named.map(|section| section.size()).sum()
        };
        let mut parts = BTreeMap::new();
        let address = |name| elf.symbol_by_name(name).map(|symbol| symbol.address());
        if let [Some(begin), Some(end)] = CORE.map(address) {
            parts.insert(Part::Core, end - begin);
        }
        // A handler for each value of the opcode byte.
        let tables = TABLES.into_iter().filter_map(address).count() as u64;
        parts.insert(Part::Tables, tables * 256 * 4);
        let library = elf.symbols().filter(|symbol| {
            let name = symbol.name().unwrap_or_default();
            let is_placed = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
            is_placed && (name.contains("compiler_builtins") || name.starts_with("__"))
        });
        parts.insert(Part::Library, library.map(|symbol| symbol.size()).sum());
        Ok(Sizes { flash: sum(&FLASH), ram: sum(&RAM), parts })
    }
}
