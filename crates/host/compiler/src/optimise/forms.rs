//! Which forms of an operation the table of opcodes has.
use std::collections::HashMap;
use std::sync::LazyLock;
use wasmbed_engine::{ColdOpcode, Opcode};

/// The bytes that begin an instruction: its opcode, behind the prefix if it is of the second page.
pub(super) type Start = &'static [u8];

/// First by kind, then by function.
static FORMS: LazyLock<HashMap<&str, HashMap<&str, Vec<u8>>>> = LazyLock::new(|| {
    let mut forms: HashMap<&str, HashMap<&str, Vec<u8>>> = HashMap::new();
    for opcode in Opcode::ALL {
        let (kind, function) = opcode.meaning();
        forms.entry(kind).or_default().insert(function, vec![*opcode as u8]);
    }
    for opcode in ColdOpcode::ALL {
        let (kind, function) = opcode.meaning();
        let bytes = vec![Opcode::Cold as u8, *opcode as u8];
        forms.entry(kind).or_default().entry(function).or_insert(bytes);
    }
    forms
});

/// How the operation `function` in the form `kind` begins, if there is one.
pub(super) fn form(kind: &str, function: &str) -> Option<Start> {
    FORMS.get(kind)?.get(function).map(Vec::as_slice)
}

/// Whether the operands have 64 bits.
pub(super) fn is_long(function: &str) -> bool {
    function.ends_with("64") || function.starts_with("f64_")
}

/// Whether the second operand counts bits.
pub(super) fn shifts(function: &str) -> bool {
    let name = function.strip_suffix("64").unwrap_or(function);
    matches!(name, "shl" | "shr_s" | "shr_u" | "rotl" | "rotr")
}

/// Whether the operands may be exchanged.
pub(super) fn commutes(function: &str) -> bool {
    let name = function.strip_suffix("64").unwrap_or(function);
    matches!(name, "add" | "and" | "or" | "xor" | "mul" | "eq" | "ne")
}

const COMPARISONS: [[&str; 3]; 10] = [
    // A comparison, what it is with its operands exchanged, and its opposite.
    ["eq", "eq", "ne"],
    ["ne", "ne", "eq"],
    ["lt_s", "gt_s", "ge_s"],
    ["lt_u", "gt_u", "ge_u"],
    ["gt_s", "lt_s", "le_s"],
    ["gt_u", "lt_u", "le_u"],
    ["le_s", "ge_s", "gt_s"],
    ["le_u", "ge_u", "gt_u"],
    ["ge_s", "le_s", "lt_s"],
    ["ge_u", "le_u", "lt_u"],
];

const COMPARISONS64: [[&str; 3]; 10] = [
    ["eq64", "eq64", "ne64"],
    ["ne64", "ne64", "eq64"],
    ["lt_s64", "gt_s64", "ge_s64"],
    ["lt_u64", "gt_u64", "ge_u64"],
    ["gt_s64", "lt_s64", "le_s64"],
    ["gt_u64", "lt_u64", "le_u64"],
    ["le_s64", "ge_s64", "gt_s64"],
    ["le_u64", "ge_u64", "gt_u64"],
    ["ge_s64", "le_s64", "lt_s64"],
    ["ge_u64", "le_u64", "lt_u64"],
];

fn comparison(function: &str) -> Option<&'static [&'static str; 3]> {
    COMPARISONS.iter().chain(&COMPARISONS64).find(|row| row[0] == function)
}

/// Whether this is a comparison of integers.
pub(super) fn compares(function: &str) -> bool {
    comparison(function).is_some()
}

/// The comparison with its operands exchanged.
pub(super) fn swapped(function: &'static str) -> &'static str {
    comparison(function).map_or(function, |row| row[1])
}

/// The opposite comparison.
pub(super) fn opposite(function: &'static str) -> &'static str {
    comparison(function).map_or(function, |row| row[2])
}
