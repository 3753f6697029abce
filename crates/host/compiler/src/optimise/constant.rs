//! Computes what only constants go into.
use super::body::{Arg, Body, Instruction, Operation};
use super::forms::{commutes, compares, is_long, swapped};

/// Replaces operations on constants by their results, and branches on constants by plain ones.
pub(super) fn fold_constants(body: &mut Body) {
    for block in &mut body.blocks {
        for instruction in block.iter_mut() {
            normalise(instruction);
            add_up(instruction);
            fold(instruction);
        }
        block.retain(|instruction| !is_nothing(instruction));
    }
}

/// Writes comparisons and rotations with a constant in the one way that the forms have.
fn normalise(instruction: &mut Instruction) {
    let function = match &mut instruction.operation {
        Operation::Binary(function) | Operation::BranchIf { function, .. } => function,
        _ => return,
    };
    let args = &mut instruction.args;
    if matches!(args[0], Arg::Constant(_)) && !matches!(args[1], Arg::Constant(_)) {
        if !compares(function) && !commutes(function) {
            return;
        }
        args.swap(0, 1);
        *function = swapped(function);
    }
    let (Arg::Place(_), Arg::Constant(value)) = (args[0], args[1]) else { return };
    let word = value as u32;
    let (name, constant): (&'static str, u64) = match *function {
        "sub" => ("add", word.wrapping_neg().into()),
        "sub64" => ("add64", value.wrapping_neg()),
        "rotl" => ("rotr", (word.wrapping_neg() & 31).into()),
        "rotl64" => ("rotr64", u64::from(word.wrapping_neg() & 63)),
        "rotr" => ("rotr", (word & 31).into()),
        "rotr64" => ("rotr64", u64::from(word & 63)),
        "le_s" if word != i32::MAX as u32 => ("lt_s", word.wrapping_add(1).into()),
        "ge_s" if word != i32::MIN as u32 => ("gt_s", word.wrapping_sub(1).into()),
        "le_u" if word != u32::MAX => ("lt_u", word.wrapping_add(1).into()),
        "ge_u" if word != 0 => ("gt_u", word.wrapping_sub(1).into()),
        _ => return,
    };
    let (name, constant) = match (name, constant) {
        ("lt_u", 1) => ("eq", 0),
        ("gt_u", 0) => ("ne", 0),
        other => other,
    };
    *function = name;
    args[1] = Arg::Constant(constant);
}

/// An address has at most one constant part, and it is the second one.
fn add_up(instruction: &mut Instruction) {
    if !matches!(instruction.operation, Operation::Load { .. } | Operation::Store { .. }) {
        return;
    }
    let args = &mut instruction.args;
    match (args[0], args[1]) {
        (Arg::Constant(base), Arg::Constant(addend)) => {
            args[0] = Arg::Constant((base as u32).wrapping_add(addend as u32).into());
            args[1] = Arg::None;
        }
        (Arg::Constant(_), Arg::Place(_)) => args.swap(0, 1),
        _ => {}
    }
}

fn is_nothing(instruction: &Instruction) -> bool {
    instruction.operation == Operation::Move && instruction.to.is_none()
}

fn fold(instruction: &mut Instruction) {
    if let (Operation::Unary(function), [Arg::Constant(value), ..]) =
        (&instruction.operation, instruction.args)
    {
        let value = match *function {
            "extend_s" => i64::from(value as u32 as i32) as u64,
            "extend_u" => u64::from(value as u32),
            _ => return,
        };
        instruction.operation = Operation::Move;
        instruction.args[0] = Arg::Constant(value);
        return;
    }
    let [Arg::Constant(one), Arg::Constant(other), _] = instruction.args else { return };
    let operation = match &instruction.operation {
        Operation::Binary(function) => {
            let Some(value) = evaluate(function, one, other) else { return };
            instruction.args = [Arg::Constant(value), Arg::None, Arg::None];
            Operation::Move
        }
        Operation::BranchIf { function, target, cost } => {
            let Some(holds) = evaluate(function, one, other) else { return };
            instruction.args = [Arg::None; 3];
            match (holds, cost) {
                (0, _) => Operation::Move,
                (_, None) => Operation::Branch(*target),
                (_, Some(cost)) => Operation::Loop { target: *target, cost: *cost },
            }
        }
        _ => return,
    };
    instruction.operation = operation;
}

/// What an operation that cannot trap gives, if it is known here.
fn evaluate(function: &str, one: u64, other: u64) -> Option<u64> {
    let is_long = is_long(function);
    let (signed, signed_other) = if is_long {
        (one as i64, other as i64)
    } else {
        (i64::from(one as u32 as i32), i64::from(other as u32 as i32))
    };
    let (one, other) = if is_long {
        (one, other)
    } else {
        (one & u64::from(u32::MAX), other & u64::from(u32::MAX))
    };
    let bits = if is_long { 63 } else { 31 };
    let amount = (other & bits) as u32;
    let value = match function.strip_suffix("64").unwrap_or(function) {
        "add" => one.wrapping_add(other),
        "sub" => one.wrapping_sub(other),
        "mul" => one.wrapping_mul(other),
        "and" => one & other,
        "or" => one | other,
        "xor" => one ^ other,
        "shl" => one << amount,
        "shr_u" => one >> amount,
        "shr_s" => (signed >> amount) as u64,
        "eq" => u64::from(one == other),
        "ne" => u64::from(one != other),
        "lt_u" => u64::from(one < other),
        "gt_u" => u64::from(one > other),
        "le_u" => u64::from(one <= other),
        "ge_u" => u64::from(one >= other),
        "lt_s" => u64::from(signed < signed_other),
        "gt_s" => u64::from(signed > signed_other),
        "le_s" => u64::from(signed <= signed_other),
        "ge_s" => u64::from(signed >= signed_other),
        _ => return None,
    };
    Some(if is_long { value } else { value & u64::from(u32::MAX) })
}
