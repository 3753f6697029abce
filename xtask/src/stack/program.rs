//! A linked firmware: its functions, its constants, its vector table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// A function, as the symbol table has it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Name as people write it.
    pub name: String,
    /// First address behind it.
    pub end: u32,
}

/// Bytes that nothing changes at run time.
struct Constant {
    address: u32,
    bytes: Vec<u8>,
}

/// A linked firmware.
pub struct Program {
    constants: Vec<Constant>,
    /// By first address.
    functions: BTreeMap<u32, Function>,
    /// Every symbol's address.
    symbols: BTreeMap<String, u32>,
    /// Where code and data begin between each other: true is data.
    data: BTreeMap<u32, bool>,
    /// Address of the vector table.
    vectors: u32,
    vector_bytes: u32,
}

/// Sections that hold code and constants.
const CONSTANT: [&str; 3] = [".vector_table", ".text", ".rodata"];

impl Program {
    /// Reads an ELF file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let elf =
            object::File::parse(&*bytes).with_context(|| format!("parse {}", path.display()))?;
        let mut constants = Vec::new();
        for name in CONSTANT {
            let section =
                elf.section_by_name(name).with_context(|| format!("no section {name}"))?;
            let address = u32::try_from(section.address())?;
            constants.push(Constant { address, bytes: section.data()?.to_vec() });
        }
        let (mut sizes, mut symbols, mut data) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for symbol in elf.symbols() {
            let (Ok(name), Ok(address)) = (symbol.name(), u32::try_from(symbol.address())) else {
                continue;
            };
            match name.as_bytes() {
                [b'$', b'd', ..] => _ = data.insert(address, true),
                [b'$', b't', ..] => _ = data.insert(address, false),
                _ => {}
            }
            let demangled = format!("{:#}", rustc_demangle::demangle(name));
            if symbol.kind() == SymbolKind::Text {
                let start = address & !1;
                let size = u32::try_from(symbol.size())?;
                let entry: &mut (u32, BTreeSet<String>) = sizes.entry(start).or_default();
                entry.0 = entry.0.max(size);
                entry.1.insert(demangled.clone());
            }
            symbols.insert(demangled, address);
        }
        let vectors = constants.first().context("no vector table")?;
        Ok(Self {
            vectors: vectors.address,
            vector_bytes: u32::try_from(vectors.bytes.len())?,
            functions: functions(sizes),
            constants,
            symbols,
            data,
        })
    }

    /// The halfword at an address, if nothing changes it.
    pub fn halfword(&self, address: u32) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(address)?))
    }

    /// The word at an address, if nothing changes it.
    pub fn word(&self, address: u32) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(address)?))
    }

    /// The byte at an address, if nothing changes it.
    pub fn byte(&self, address: u32) -> Option<u8> {
        Some(u8::from_le_bytes(self.bytes(address)?))
    }

    fn bytes<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        self.constants.iter().find_map(|constant| {
            let start = address.checked_sub(constant.address)? as usize;
            constant.bytes.get(start..start.checked_add(N)?)?.try_into().ok()
        })
    }

    /// Whether data stands between the code there.
    pub fn is_data(&self, address: u32) -> bool {
        self.data.range(..=address).next_back().is_some_and(|(_, is_data)| *is_data)
    }

    /// The function that begins at an address.
    pub fn function(&self, address: u32) -> Option<&Function> {
        self.functions.get(&address)
    }

    /// First addresses of the functions whose names satisfy `is_meant`.
    pub fn functions(&self, is_meant: impl Fn(&str) -> bool) -> Vec<u32> {
        let found = self.functions.iter().filter(|(_, function)| is_meant(&function.name));
        found.map(|(address, _)| *address).collect()
    }

    /// Name of the function that begins at an address, or the address.
    pub fn name(&self, address: u32) -> String {
        self.function(address).map_or_else(|| format!("{address:#x}"), |found| found.name.clone())
    }

    /// Value of a symbol.
    pub fn symbol(&self, name: &str) -> Result<u32> {
        self.symbols.get(name).copied().with_context(|| format!("no symbol {name}"))
    }

    /// The exceptions that have a handler, with its address. Number 1 is the reset.
    pub fn vectors(&self) -> Vec<(u32, u32)> {
        let numbers = 1..self.vector_bytes / 4;
        let handler = |number: u32| Some((number, self.word(self.vectors + 4 * number)? & !1));
        numbers.filter_map(handler).filter(|(_, handler)| *handler != 0).collect()
    }
}

/// Where each function ends. One without a size is assembly, and goes on to the next that has one.
fn functions(sizes: BTreeMap<u32, (u32, BTreeSet<String>)>) -> BTreeMap<u32, Function> {
    let next = |address: u32| {
        let mut behind = sizes.range(address + 1..).filter(|(_, (size, _))| *size > 0);
        behind.next().map_or(u32::MAX, |(address, _)| *address)
    };
    let ends = sizes.iter().map(|(address, (size, names))| {
        let end = if *size > 0 { address + size } else { next(*address) };
        let name = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        (*address, Function { name, end })
    });
    ends.collect()
}
