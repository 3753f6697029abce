//! Passes over the values of a function: copies, results that go where they are wanted, dead code.
use super::Surroundings;
use super::body::{Arg, Body, Instruction, Operation, Place, SLOTS, TEMPORARIES, Word};
use super::body::{alive_behind, last_reads, step_back};
use super::forms::{commutes, compares};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is known of a word: it equals a slot's, or a constant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Slot(Word),
    Constant(u32),
}

type Known = BTreeMap<Word, Source>;

/// Replaces what is read by what it is a copy of, all over the function.
pub(super) fn forward(body: &mut Body, surroundings: &Surroundings<'_>) {
    let count = body.blocks.len();
    let mut entries: Vec<Option<Known>> = vec![None; count];
    if let Some(first) = entries.first_mut() {
        // Locals begin as 0.
        let zeroed = surroundings.locals.clone();
        *first = Some(zeroed.map(|word| (word, Source::Constant(0))).collect());
    }
    let mut is_stable = false;
    while !is_stable {
        is_stable = true;
        for block in 0..count {
            let Some(mut known) = entries[block].clone() else { continue };
            for instruction in &body.blocks[block] {
                learn(instruction, &mut known);
            }
            known.retain(|word, _| *word < TEMPORARIES);
            for successor in body.successors(block) {
                let merged = match &entries[successor] {
                    None => known.clone(),
                    Some(others) => {
                        let mut both = others.clone();
                        both.retain(|word, source| known.get(word) == Some(source));
                        both
                    }
                };
                if entries[successor].as_ref() != Some(&merged) {
                    entries[successor] = Some(merged);
                    is_stable = false;
                }
            }
        }
    }
    for (block, entry) in body.blocks.iter_mut().zip(entries) {
        let Some(mut known) = entry else {
            // Nothing leads here.
            block.clear();
            continue;
        };
        for instruction in block {
            replace(instruction, &known);
            learn(instruction, &mut known);
        }
    }
}

fn replace(instruction: &mut Instruction, known: &Known) {
    let is_move = instruction.operation == Operation::Move;
    let operation = instruction.operation.clone();
    for (index, arg) in instruction.args.iter_mut().enumerate() {
        let Arg::Place(place) = *arg else { continue };
        let replaced = match (place.words, known.get(&place.word), known.get(&(place.word + 1))) {
            (1, Some(Source::Slot(slot)), _) => Arg::Place(Place::new(*slot, 1)),
            (1, Some(Source::Constant(value)), _) => Arg::Constant(u64::from(*value)),
            (2, Some(Source::Slot(low)), Some(Source::Slot(high))) if *high == low + 1 => {
                Arg::Place(Place::new(*low, 2))
            }
            (2, Some(Source::Constant(low)), Some(Source::Constant(high))) => {
                let value = u64::from(*low) | u64::from(*high) << 32;
                let is_small = i8::try_from(value as i64).is_ok();
                if is_small || is_move || place.word >= TEMPORARIES {
                    Arg::Constant(value)
                } else {
                    *arg
                }
            }
            _ => *arg,
        };
        // Some operands have no form with a constant.
        let stays = match (&operation, index) {
            (Operation::Select, 1 | 2) | (Operation::Other(_), _) => true,
            (Operation::Binary(function), 0) => !commutes(function) && !compares(function),
            _ => false,
        };
        if !stays || matches!(replaced, Arg::Place(_)) {
            *arg = replaced;
        }
    }
}

/// What is known behind an instruction.
fn learn(instruction: &Instruction, known: &mut Known) {
    let mut sources = Vec::new();
    if let (Operation::Move, Some(to)) = (&instruction.operation, instruction.to) {
        for (index, word) in to.words().enumerate() {
            let source = match instruction.args[0] {
                Arg::Constant(value) => Some(Source::Constant((value >> (32 * index)) as u32)),
                Arg::Place(from) => {
                    let from = from.word + index as Word;
                    let itself = (from < SLOTS).then_some(Source::Slot(from));
                    known.get(&from).copied().or(itself)
                }
                Arg::None => None,
            };
            sources.push((word, source));
        }
    }
    let clobbers = instruction.clobbers();
    let changed =
        |word: Word| instruction.to.is_some_and(|to| to.has(word)) || clobbers.contains(&word);
    known.retain(|word, source| {
        let is_gone = matches!(source, Source::Slot(slot) if changed(*slot));
        !is_gone && !changed(*word)
    });
    for (word, source) in sources {
        match source {
            Some(Source::Slot(slot)) if changed(slot) => {}
            Some(source) => {
                known.insert(word, source);
            }
            None => {}
        }
    }
}

/// Farthest that a result is looked for in front of the copy that stores it.
const DISTANCE_MAX: usize = 500;

/// Lets results go straight to the slots that they are copied to.
pub(super) fn retarget(body: &mut Body) {
    for block in &mut body.blocks {
        let last = last_reads(block);
        for at in 0..block.len() {
            if let Some((defined, end)) = retargetable(block, at, &last) {
                let (Some(to), Arg::Place(from)) = (block[at].to, block[at].args[0]) else {
                    continue;
                };
                block[at].to = None;
                block[at].args = [Arg::None; 3];
                for instruction in &mut block[defined..=end] {
                    if instruction.to == Some(from) {
                        instruction.to = Some(to);
                    }
                    for arg in &mut instruction.args {
                        if let Arg::Place(place) = arg
                            && place.word == from.word
                        {
                            place.word = to.word;
                        }
                    }
                }
            }
        }
    }
}

/// The instruction whose result the copy at `at` may take the place of, and where it is read last.
fn retargetable(
    block: &[Instruction],
    at: usize,
    last: &HashMap<Word, usize>,
) -> Option<(usize, usize)> {
    let copy = &block[at];
    let (Operation::Move, Some(to), Arg::Place(from)) = (&copy.operation, copy.to, copy.args[0])
    else {
        return None;
    };
    if to.word >= SLOTS || from.word < TEMPORARIES || to.words != from.words {
        return None;
    }
    let touches = |instruction: &Instruction| {
        to.words().any(|word| instruction.changes(word) || instruction.reads().contains(&word))
    };
    let mut defined = at;
    loop {
        defined = defined.checked_sub(1).filter(|index| at - index < DISTANCE_MAX)?;
        if block[defined].to.is_some_and(|result| result.overlaps(from)) {
            break;
        }
        if touches(&block[defined]) {
            return None;
        }
    }
    if block[defined].to != Some(from) {
        return None;
    }
    let end = from.words().filter_map(|word| last.get(&word)).copied().max()?.max(at);
    let mut is_changed = false;
    for instruction in &block[at + 1..=end] {
        let reads = instruction.args.iter().filter_map(|arg| arg.place());
        let mut reads = reads.filter(|place| place.overlaps(from));
        if is_changed && reads.next().is_some() {
            return None;
        }
        is_changed |= to.words().any(|word| instruction.changes(word));
    }
    Some((defined, end))
}

/// Removes what has no effect.
pub(super) fn remove_dead(body: &mut Body) {
    let reads = |block: usize, index: usize| body.blocks[block][index].reads();
    let (behind, _) = alive_behind(body, &reads);
    for (block, mut alive) in body.blocks.iter_mut().zip(behind) {
        let mut temporaries: HashSet<Word> = HashSet::new();
        let mut kept = Vec::with_capacity(block.len());
        while let Some(instruction) = block.pop() {
            let is_used =
                |to: Place| to.words().any(|word| alive.has(word) || temporaries.contains(&word));
            if instruction.is_pure() && !instruction.to.is_some_and(is_used) {
                continue;
            }
            let reads = instruction.reads();
            for word in instruction.to.iter().flat_map(|to| to.words()) {
                temporaries.remove(&word);
            }
            temporaries.extend(reads.iter().filter(|word| **word >= TEMPORARIES));
            step_back(&instruction, reads, &mut alive);
            kept.push(instruction);
        }
        kept.reverse();
        *block = kept;
    }
}

/// Makes one conditional back-edge of a branch over a plain one, and returns of branches to one.
pub(super) fn straighten(body: &mut Body) {
    let predecessors = body.predecessors();
    for block in 0..body.blocks.len() {
        if let Some(Instruction { operation: Operation::Branch(target), .. }) =
            body.blocks[block].last()
            && let [only] = body.blocks[*target].as_slice()
            && matches!(only.operation, Operation::Return { several: 0, .. })
        {
            let ending = only.clone();
            if let Some(last) = body.blocks[block].last_mut() {
                *last = ending;
            }
        }
        let behind = block + 1;
        if behind + 1 >= body.blocks.len() || predecessors[behind] != [block] {
            continue;
        }
        let [Instruction { operation: Operation::Loop { target: head, cost }, .. }] =
            body.blocks[behind].as_slice()
        else {
            continue;
        };
        let (head, loop_cost) = (*head, *cost);
        let Some(Instruction { operation: Operation::BranchIf { function, target, cost }, .. }) =
            body.blocks[block].last_mut()
        else {
            continue;
        };
        if *target == behind + 1 && cost.is_none() {
            *function = super::forms::opposite(function);
            *target = head;
            *cost = Some(loop_cost);
            body.blocks[behind].clear();
        }
    }
}
