//! Flash, static RAM and stack of each board's firmware, read from its ELF file.

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol};
use serde_json::{Value, json};

use crate::boards::{self, Board};
use crate::{paths, stack};

/// What one firmware takes, in bytes.
struct Size {
    flash_bytes: u64,
    static_ram_bytes: u64,
    stack_bytes: u64,
    guest_arena_bytes: u64,
}

/// `cargo xtask size`.
pub fn run(json: bool) -> Result<()> {
    let mut rows: Vec<Value> = Vec::new();
    for board in boards::all()? {
        boards::build(&board)?;
        let size = measure(&board)?;
        let stacks = stack::bound(&board)?;
        if !json {
            println!(
                "{:<18} flash {:>7}  static RAM {:>6}  stack {:>6}  guest arena {:>6}",
                board.name,
                size.flash_bytes,
                size.static_ram_bytes,
                size.stack_bytes,
                size.guest_arena_bytes
            );
        }
        rows.push(json!({
            "board": board.name,
            "flash_bytes": size.flash_bytes,
            "static_ram_bytes": size.static_ram_bytes,
            "stack_bytes": size.stack_bytes,
            "guest_arena_bytes": size.guest_arena_bytes,
            "loop_stack_worst_bytes": stacks.loop_bytes,
            "interrupt_stack_worst_bytes": stacks.interrupt_bytes,
        }));
        if !json {
            for finding in over_budget(&board)? {
                println!("{:<18} {finding}", "");
            }
        }
    }
    if json {
        println!("{}", Value::from(rows));
    }
    Ok(())
}

/// What exceeds the limits in `budget.toml`.
pub fn over_budget(board: &Board) -> Result<Vec<String>> {
    let size = measure(board)?;
    let budget = boards::budget(&board.name)?;
    let mut findings = Vec::new();
    let figures = [("flash_bytes", size.flash_bytes), ("static_ram_bytes", size.static_ram_bytes)];
    for (name, value) in figures {
        let limit = budget
            .get("limits")
            .and_then(|limits| limits.get(name))
            .and_then(toml::Value::as_integer)
            .with_context(|| format!("boards/{}/budget.toml has no {name}", board.name))?;
        if i64::try_from(value)? > limit {
            findings.push(format!("{name} is {value}, the budget is {limit}"));
        }
    }
    Ok(findings)
}

/// Sections that are in flash; the linker script of the boards names them.
const FLASH: [&str; 4] = [".vector_table", ".text", ".rodata", ".data"];
/// Sections that are in RAM for the whole run, the guest arena among them.
const STATIC: [&str; 3] = [".data", ".bss", ".uninit"];
/// Absolute symbols whose addresses are the bytes reserved for each stack.
const STACKS: [&str; 2] = ["_loop_stack_bytes", "_interrupt_stack_bytes"];

fn measure(board: &Board) -> Result<Size> {
    let path = paths::boards().join(&board.name).join("firmware.elf");
    let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let elf = object::File::parse(&*bytes).with_context(|| format!("parse {}", path.display()))?;
    let sum = |names: &[&str]| -> u64 {
        let named = names.iter().filter_map(|name| elf.section_by_name(name));
        named.map(|section| section.size()).sum()
    };
    let mut stack_bytes = 0;
    for name in STACKS {
        let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
        stack_bytes += symbol.with_context(|| format!("no symbol {name}"))?.address();
    }
    let guest_arena_bytes = u64::from(board.guest_arena_bytes);
    Ok(Size {
        flash_bytes: sum(&FLASH),
        static_ram_bytes: sum(&STATIC) - guest_arena_bytes,
        stack_bytes,
        guest_arena_bytes,
    })
}

/// `cargo xtask size --stack BOARD`.
pub fn show_stack(name: &str) -> Result<()> {
    let board = boards::all()?.into_iter().find(|board| board.name == name);
    let board = board.with_context(|| format!("no board {name}"))?;
    boards::build(&board)?;
    stack::show(&board)
}
