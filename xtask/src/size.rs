//! Flash, static RAM and stack of each board's firmware, read from its ELF file.

use anyhow::{Context, Result};
use object::{Object, ObjectSegment, ObjectSymbol};
use serde_json::{Value, json};

use crate::boards::{self, Board};
use crate::paths;

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
            .get(name)
            .and_then(toml::Value::as_integer)
            .with_context(|| format!("boards/{}/budget.toml has no {name}", board.name))?;
        if i64::try_from(value)? > limit {
            findings.push(format!("{name} is {value}, the budget is {limit}"));
        }
    }
    Ok(findings)
}

fn measure(board: &Board) -> Result<Size> {
    let path = paths::boards().join(&board.name).join("firmware.elf");
    let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let elf = object::File::parse(&*bytes).with_context(|| format!("parse {}", path.display()))?;
    let ram = u64::from(board.ram_origin)..u64::from(board.ram_origin) + u64::from(board.ram_bytes);
    let flash_bytes = elf.segments().map(|segment| segment.file_range().1).sum();
    let mut static_end = ram.start;
    for segment in elf.segments().filter(|segment| ram.contains(&segment.address())) {
        static_end = static_end.max(segment.address() + segment.size());
    }
    let symbol = |name: &str| elf.symbols().find(|symbol| symbol.name() == Ok(name));
    // The linker script's own marks: cortex-m-rt places the heap start behind all statics.
    if let Some(end) = symbol("__sheap") {
        static_end = static_end.max(end.address());
    }
    let guest_arena_bytes = symbol("GUEST_ARENA").map_or(0, |symbol| symbol.size());
    let stack_top = symbol("_stack_start").map_or(ram.end, |symbol| symbol.address());
    Ok(Size {
        flash_bytes,
        static_ram_bytes: static_end - ram.start - guest_arena_bytes,
        stack_bytes: stack_top.saturating_sub(static_end),
        guest_arena_bytes,
    })
}
