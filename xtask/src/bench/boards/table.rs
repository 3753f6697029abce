//! The tables of docs/measurements.md, between their marks.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::boards::Board;
use crate::paths;

use super::super::Row;

const BEGIN: &str = "<!-- cargo xtask bench boards --write -->\n";
const END: &str = "<!-- end of what it writes -->\n";

/// Headings, and the figures below them.
const BOARD: [(&str, &[&str]); 9] = [
    ("flash", &["flash"]),
    ("static RAM", &["static-ram"]),
    ("loop's stack: painted / bound", &["stack-painted", "stack-bound"]),
    ("guest arena", &["guest-arena"]),
    ("handshake", &["handshake"]),
    ("boot to enrolled", &["boot-to-enrolled"]),
    ("install", &["install"]),
    ("memory: QEMU / manager", &["memory-qemu", "memory-relay"]),
    ("idle: QEMU / manager", &["idle-qemu", "idle-relay"]),
];
const TEN: [(&str, &str); 6] = [
    ("`wasmbed apply` until all ten are Ready", "ready"),
    ("resident memory of the ten emulators, summed", "memory-qemu"),
    ("the same, shared pages counted once", "memory-qemu-shared-once"),
    ("resident memory of their manager", "memory-relay"),
    ("CPU of the ten emulators, 60 s", "idle-qemu"),
    ("CPU of their manager, 60 s", "idle-relay"),
];

/// Writes what was measured between the marks.
pub fn write(boards: &[Board], rows: &[Row]) -> Result<()> {
    let path = paths::root().join("docs/measurements.md");
    let page = std::fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).context("docs/measurements.md has no mark")?;
    let (_, after) = rest.split_once(END).context("docs/measurements.md has no second mark")?;
    std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", tables(boards, rows)))?;
    Ok(())
}

fn tables(boards: &[Board], rows: &[Row]) -> String {
    let headings: Vec<&str> = BOARD.iter().map(|(heading, _)| *heading).collect();
    let mut text = format!("\n| | {} |\n|---|{}\n", headings.join(" | "), "---|".repeat(9));
    for board in boards {
        _ = write!(text, "| {} |", board.name);
        for (_, keys) in BOARD {
            let figures: Vec<String> =
                keys.iter().map(|key| figure(rows, &format!("{}/{key}", board.name))).collect();
            _ = write!(text, " {} |", figures.join(" / "));
        }
        text.push('\n');
    }
    text.push_str("\n| ten boards at once | |\n|---|---|\n");
    for (heading, key) in TEN {
        _ = writeln!(text, "| {heading} | {} |", figure(rows, &format!("ten/{key}")));
    }
    text.push('\n');
    text
}

fn figure(rows: &[Row], name: &str) -> String {
    let Some(row) = rows.iter().find(|row| row.name == name) else { return "-".to_owned() };
    match row.unit {
        "% core" => format!("{:.2} %", row.value),
        "instr" => format!("{:.2} M", row.value / 1e6),
        "MB" => format!("{:.1} MB", row.value),
        unit => format!("{} {unit}", thousands(row.value)),
    }
}

/// A number with its thousands apart.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
