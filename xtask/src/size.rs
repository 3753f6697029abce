//! Flash, RAM and stacks of each board's firmware, read from its ELF file, against its budget and
//! against another commit.

mod commit;
mod figures;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::boards::{self, Board};
use crate::{paths, stack};
pub use figures::Figures;

/// `cargo xtask size`.
pub fn run(is_json: bool, against: Option<&str>) -> Result<()> {
    let base = commit::base(against);
    if let (Err(error), false) = (&base, is_json) {
        println!("no comparison: {error:#}");
    }
    let base = base.ok();
    let mut rows: Vec<Value> = Vec::new();
    let mut here = commit::Sizes::default();
    for board in boards::all()? {
        let elf = boards::build(&board)?.join("firmware.elf");
        here.boards
            .insert(board.name.clone(), figures::measure(&paths::root(), &board.name, &elf)?);
    }
    commit::keep(&here)?;
    if let (Some(base), false) = (&base, is_json) {
        println!("compared with {}", base.title);
    }
    for board in boards::all()? {
        let figures = here.boards.get(&board.name).context("not measured")?;
        let budget = Budget::of(&board)?;
        let before = base.as_ref().and_then(|base| base.boards.get(&board.name));
        let painted = painted(&board.name);
        let findings = budget.findings(figures);
        if is_json {
            rows.push(json!({
                "board": board.name,
                "figures": figures.json(),
                "budget": budget.json(),
                "before": before.map(Figures::json),
                "loop_stack_painted": painted,
                "findings": findings,
            }));
            continue;
        }
        print(&board.name, figures, &budget, before, painted.as_ref());
        for finding in findings {
            println!("    over: {finding}");
        }
    }
    if is_json {
        let base = base.as_ref().map(|base| base.title.clone());
        println!("{}", json!({"compared_with": base, "boards": rows}));
    }
    Ok(())
}

fn print(
    name: &str,
    figures: &Figures,
    budget: &Budget,
    before: Option<&Figures>,
    painted: Option<&Value>,
) {
    println!("{name}");
    for (key, value) in figures.named() {
        let change =
            before.and_then(|before| before.get(key)).map_or(
                String::new(),
                |before| match i64::from(value) - i64::from(before) {
                    0 => "=".to_owned(),
                    change => format!("{change:+}"),
                },
            );
        let limit = budget.limit(key).map_or(String::new(), |limit| {
            let word = if is_least(key) { "at least" } else { "of" };
            format!("{word} {limit}")
        });
        println!("    {key:<26}{value:>8} {change:>8}  {limit}");
    }
    if let Some(painted) = painted {
        let bytes = painted["bytes"].as_u64().unwrap_or(0);
        let commit = painted["commit"].as_str().unwrap_or_default();
        println!(
            "    {:<26}{bytes:>8} {:>8}  seen by `cargo xtask bench boards` at {commit}",
            "loop_stack_painted", ""
        );
    }
}

/// The figures of a board whose firmware is built.
pub fn of(board: &Board) -> Result<Figures> {
    let elf = paths::boards().join(&board.name).join("firmware.elf");
    figures::measure(&paths::root(), &board.name, &elf)
}

/// What exceeds the limits in `budget.toml`, or cannot be bounded at all.
pub fn over_budget(board: &Board) -> Result<Vec<String>> {
    Ok(Budget::of(board)?.findings(&of(board)?))
}

/// The limits of one board.
struct Budget(toml::Table);

/// Whether a limit is the least there must be, instead of the most there may be.
fn is_least(key: &str) -> bool {
    key == "guest_arena_bytes"
}

impl Budget {
    fn of(board: &Board) -> Result<Self> {
        let budget = boards::budget(&board.name)?;
        let limits = budget.get("limits").and_then(toml::Value::as_table);
        let limits =
            limits.with_context(|| format!("boards/{}/budget.toml: no limits", board.name))?;
        Ok(Self(limits.clone()))
    }

    fn limit(&self, key: &str) -> Option<i64> {
        self.0.get(key).and_then(toml::Value::as_integer)
    }

    fn json(&self) -> Value {
        self.0.iter().filter_map(|(key, limit)| Some((key.clone(), limit.as_integer()?))).collect()
    }

    fn findings(&self, figures: &Figures) -> Vec<String> {
        let mut findings: Vec<String> = figures.findings.iter().cloned().collect();
        for (key, _) in figures.named().filter(|(key, _)| figures::BUDGETED.contains(key)) {
            if self.limit(key).is_none() {
                findings.push(format!("budget.toml has no {key}"));
            }
        }
        for key in self.0.keys() {
            let (Some(limit), Some(value)) = (self.limit(key), figures.get(key)) else {
                findings.push(format!("budget.toml has {key}, which is no figure"));
                continue;
            };
            let value = i64::from(value);
            match is_least(key) {
                true if value < limit => {
                    findings.push(format!("{key} is {value}, the budget asks for {limit}"));
                }
                false if value > limit => {
                    findings.push(format!("{key} is {value}, the budget is {limit}"));
                }
                _ => {}
            }
        }
        let pairs = [
            ("loop_stack_worst_bytes", "loop_stack_bytes"),
            ("interrupt_stack_worst_bytes", "interrupt_stack_bytes"),
        ];
        for (worst, reserved) in pairs {
            if let (Some(worst_bytes), Some(bytes)) = (figures.get(worst), figures.get(reserved))
                && worst_bytes > bytes
            {
                findings.push(format!("{worst} is {worst_bytes}, {bytes} are reserved"));
            }
        }
        findings
    }
}

/// Where `cargo xtask bench boards` leaves how deep the loop's stack was in a run.
fn painted_file() -> std::path::PathBuf {
    paths::cache().join("size/painted.json")
}

/// How deep the loop's stack of a board was in the last run that was measured, and at which commit.
fn painted(board: &str) -> Option<Value> {
    let text = std::fs::read_to_string(painted_file()).ok()?;
    serde_json::from_str::<Value>(&text).ok()?.get(board).cloned()
}

/// Keeps how deep the loop's stack of a board was.
pub fn keep_painted(board: &str, bytes: u64) -> Result<()> {
    let text = std::fs::read_to_string(painted_file()).unwrap_or_else(|_| "{}".to_owned());
    let mut all: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
    all[board] = json!({"bytes": bytes, "commit": commit::here().unwrap_or_default()});
    commit::write(&painted_file(), &all.to_string())
}

/// `cargo xtask size --stack BOARD`.
pub fn show_stack(name: &str) -> Result<()> {
    let board = boards::find(name)?;
    let elf = boards::build(&board)?.join("firmware.elf");
    stack::show(&figures::description(&paths::root(), &board.name)?, &elf)
}
