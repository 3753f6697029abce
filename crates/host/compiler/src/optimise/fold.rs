//! Puts what is used once into the instruction that uses it: additions into addresses, comparisons
//! into branches.
use super::body::{Arg, Body, Instruction, Operation, Place, SLOTS, TEMPORARIES, Word, Words};
use super::body::{alive_behind, last_reads};
use super::forms::{compares, form};
use std::collections::HashMap;

/// Farthest that a value is looked for in front of its use.
const DISTANCE_MAX: usize = 200;

/// Folds all over the function.
pub(super) fn fold(body: &mut Body) {
    let reads = |block: usize, index: usize| body.blocks[block][index].reads();
    let (behind, _) = alive_behind(body, &reads);
    for (block, alive) in body.blocks.iter_mut().zip(behind) {
        let mut last = last_reads(block);
        for at in 0..block.len() {
            fold_address(block, at, &alive, &last);
            fold_condition(block, at, &alive, &last);
            // What was folded is read here now.
            for place in block[at].args.iter().filter_map(|arg| arg.place()) {
                for word in place.words().filter(|word| *word >= TEMPORARIES) {
                    let end = last.entry(word).or_insert(at);
                    *end = at.max(*end);
                }
            }
        }
    }
}

/// The instruction that made the operand of the one at `at`, where that is its only use, and where
/// what it read is still the same.
fn made_once(
    block: &[Instruction],
    at: usize,
    place: Place,
    alive: &Words,
    last: &HashMap<Word, usize>,
) -> Option<usize> {
    let mut made = at;
    loop {
        made = made.checked_sub(1).filter(|index| at - index < DISTANCE_MAX)?;
        if place.words().any(|word| block[made].changes(word)) {
            break;
        }
        if place.words().any(|word| block[made].reads().contains(&word)) {
            return None;
        }
    }
    if block[made].to != Some(place) || !is_dead_behind(block, at, place, alive, last) {
        return None;
    }
    let operands = block[made].args.iter().filter_map(|arg| arg.place());
    for operand in operands {
        let is_changed =
            |instruction: &Instruction| operand.words().any(|word| instruction.changes(word));
        if block[made + 1..at].iter().any(is_changed) {
            return None;
        }
        // What is in no slot of its own does not outlive a call.
        let clobbers = |instruction: &Instruction| !instruction.clobbers().is_empty();
        if operand.word >= SLOTS && block[made + 1..at].iter().any(clobbers) {
            return None;
        }
    }
    Some(made)
}

fn is_dead_behind(
    block: &[Instruction],
    at: usize,
    place: Place,
    alive: &Words,
    last: &HashMap<Word, usize>,
) -> bool {
    place.words().all(|word| {
        if word >= TEMPORARIES {
            return last.get(&word).is_none_or(|last| *last <= at);
        }
        if block[at].changes(word) {
            return true;
        }
        let end = block.len().min(at + DISTANCE_MAX);
        for instruction in &block[at + 1..end] {
            if instruction.reads().contains(&word) {
                return false;
            }
            if instruction.changes(word) {
                return true;
            }
        }
        end == block.len() && !alive.has(word)
    })
}

fn clear(instruction: &mut Instruction) {
    instruction.operation = Operation::Move;
    instruction.to = None;
    instruction.args = [Arg::None; 3];
}

fn fold_address(block: &mut [Instruction], at: usize, alive: &Words, last: &HashMap<Word, usize>) {
    let (is_load, function) = match &block[at].operation {
        Operation::Load { function, offset: 0 } => (true, *function),
        Operation::Store { function, offset: 0 } => (false, *function),
        _ => return,
    };
    let [Arg::Place(base), Arg::None, value] = block[at].args else { return };
    if value.place().is_some_and(|value| value.overlaps(base)) {
        return;
    }
    let Some(made) = made_once(block, at, base, alive, last) else { return };
    if block[made].operation != Operation::Binary("add") {
        return;
    }
    let (first, second) = match block[made].args {
        [Arg::Place(place), other, _] | [other, Arg::Place(place), _] => (place, other),
        _ => return,
    };
    let kind = match (is_load, second) {
        (true, Arg::Constant(_)) => "load_rw",
        (true, _) => "load_rx",
        (false, Arg::Constant(_)) => "store_raw",
        (false, _) => "store_rxa",
    };
    if form(kind, function).is_none() {
        return;
    }
    block[at].args = [Arg::Place(first), second, value];
    clear(&mut block[made]);
}

fn fold_condition(
    block: &mut [Instruction],
    at: usize,
    alive: &Words,
    last: &HashMap<Word, usize>,
) {
    let Operation::BranchIf { function, .. } = &block[at].operation else { return };
    let is_opposite = match *function {
        "ne" => false,
        "eq" => true,
        _ => return,
    };
    let [Arg::Place(condition), Arg::Constant(0), _] = block[at].args else { return };
    let Some(made) = made_once(block, at, condition, alive, last) else { return };
    let compared = match &block[made].operation {
        Operation::Binary(compared) if compares(compared) => *compared,
        _ => return,
    };
    if compared.ends_with("64") && form("branch_ar64", compared).is_none() {
        return;
    }
    let args = block[made].args;
    clear(&mut block[made]);
    block[at].args = args;
    if let Operation::BranchIf { function, .. } = &mut block[at].operation {
        *function = if is_opposite { super::forms::opposite(compared) } else { compared };
    }
}
