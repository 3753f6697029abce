//! The figures of one firmware.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol};
use serde_json::{Value, json};

use crate::stack;

/// Every figure, in the order of the tables.
const KEYS: [&str; 9] = [
    "flash_bytes",
    "static_ram_bytes",
    "loop_stack_bytes",
    "loop_stack_worst_bytes",
    "loop_stack_panic_bytes",
    "interrupt_stack_bytes",
    "interrupt_stack_worst_bytes",
    "interrupt_stack_fault_bytes",
    "guest_arena_bytes",
];

/// Figures that every budget must limit.
pub const BUDGETED: [&str; 7] = [
    "flash_bytes",
    "static_ram_bytes",
    "loop_stack_bytes",
    "loop_stack_worst_bytes",
    "interrupt_stack_bytes",
    "interrupt_stack_worst_bytes",
    "guest_arena_bytes",
];

/// What one firmware takes, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    values: BTreeMap<String, u32>,
    /// What could not be bounded.
    pub findings: BTreeSet<String>,
}

impl Figures {
    /// One figure.
    pub fn get(&self, key: &str) -> Option<u32> {
        self.values.get(key).copied()
    }

    /// All that there are, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        KEYS.into_iter().filter_map(|key| Some((key, self.get(key)?)))
    }

    /// As it is printed and kept.
    pub fn json(&self) -> Value {
        json!(self.values)
    }

    /// Reads what was kept.
    pub fn from_json(value: &Value) -> Self {
        let values = value.as_object().into_iter().flatten();
        let values = values
            .filter_map(|(key, value)| Some((key.clone(), u32::try_from(value.as_u64()?).ok()?)));
        Self { values: values.collect(), findings: BTreeSet::new() }
    }
}

/// The board file of a board in the checkout at `root`.
pub fn description(root: &Path, name: &str) -> Result<wasmbed_devicetree::Board> {
    let file = root.join("boards").join(name).join("board.dts");
    let compiled = wasmbed_devicetree::compile(&file, &root.join("dts"))
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(compiled.board)
}

/// Sections that are in flash; the linker script of the boards names them.
const FLASH: [&str; 4] = [".vector_table", ".text", ".rodata", ".data"];
/// Sections that are in RAM for the whole run, the guest arena among them.
const STATIC: [&str; 3] = [".data", ".bss", ".uninit"];

/// Reads the figures of a board's firmware, built from the checkout at `root`.
pub fn measure(root: &Path, name: &str, path: &Path) -> Result<Figures> {
    let board = description(root, name)?;
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let elf = object::File::parse(&*bytes).with_context(|| format!("parse {}", path.display()))?;
    let sum = |names: &[&str]| -> Result<u32> {
        let named = names.iter().filter_map(|name| elf.section_by_name(name));
        Ok(u32::try_from(named.map(|section| section.size()).sum::<u64>())?)
    };
    // Absolute symbols whose addresses are the bytes reserved.
    let reserved = |name: &str| -> Result<u32> {
        let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
        Ok(u32::try_from(symbol.with_context(|| format!("no symbol {name}"))?.address())?)
    };
    let arena_bytes = board.guests.arena_bytes;
    let stacks = stack::bound(&board, path)?;
    let values = [
        sum(&FLASH)?,
        sum(&STATIC)?.saturating_sub(arena_bytes),
        reserved("_loop_stack_bytes")?,
        stacks.loop_bytes,
        stacks.panic_bytes,
        reserved("_interrupt_stack_bytes")?,
        stacks.interrupt_bytes,
        stacks.fault_bytes,
        arena_bytes,
    ];
    let values = KEYS.iter().zip(values).map(|(key, value)| ((*key).to_owned(), value));
    Ok(Figures { values: values.collect(), findings: stacks.findings })
}
