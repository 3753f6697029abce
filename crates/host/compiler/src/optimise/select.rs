//! Gives each operation the form that fits where its operands are, and finds out what must be stored.
//!
//! The code is walked as often as it takes: what the accumulator holds where control meets, and which
//! results are ever read from the frame, are only known from a walk before.
mod access;
mod accumulator;
mod operate;

use super::Surroundings;
use super::body::{Arg, Body, CARRIED, Instruction, Operation, Place, SLOTS, TEMPORARIES, Word};
use super::body::{alive_behind, step_back};
use super::forms::{Start, form, opposite, swapped};
use accumulator::Accumulator;
use std::collections::{HashMap, HashSet};
use wasmbed_engine::Opcode;

/// Where a branch leads.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Forward(usize),
    Back {
        block: usize,
        cost: u16,
    },
    Table(Vec<usize>),
    /// Over as many bytes, from the start of the instruction.
    Over(u16),
}

/// One instruction as it will be encoded, but for distances.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) target: Option<Target>,
    /// The defined function that is called.
    pub(super) callee: Option<u32>,
    pub(super) source: u32,
}

/// The code of a function, but for distances.
pub(super) struct Selected {
    pub(super) blocks: Vec<Vec<Encoded>>,
    pub(super) slots: u16,
}

/// Whether each instruction's result must be stored.
type Stores = Vec<Vec<bool>>;

/// Walks after which stores are only added, so that the walks come to an end.
const WALKS_FREE: usize = 6;

/// Instructions of a loop's head among which one is looked for that needs the accumulator.
const HEAD_INSTRUCTIONS: usize = 3;

/// Chooses the forms of a function. Nothing if its frame would get too large.
pub(super) fn select(
    mut body: Body,
    surroundings: &Surroundings<'_>,
    slots: u16,
) -> Option<Selected> {
    let in_slot = |instruction: &Instruction| instruction.to.is_some_and(|to| to.word < SLOTS);
    let mut stores: Stores =
        body.blocks.iter().map(|block| block.iter().map(in_slot).collect()).collect();
    for walk in 0.. {
        let mut selector = Selector::new(&body, slots, &stores);
        let mut blocks = selector.walk();
        if selector.gives_up {
            return None;
        }
        let (wanted, alive) = wanted(&body, &selector.reads);
        let holds = if walk < WALKS_FREE { selector.holds() } else { Vec::new() };
        let frame = selector.slots;
        let covers = |(have, want): (&Vec<bool>, &Vec<bool>)| {
            have.iter().zip(want).all(|(have, want)| *have || !*want)
        };
        let is_sound = stores.iter().zip(&wanted).all(covers);
        if is_sound && holds.is_empty() && (stores == wanted || walk >= WALKS_FREE) {
            let zeroed: Vec<Word> =
                surroundings.locals.clone().filter(|word| alive.has(*word)).collect();
            if let Some(first) = blocks.first_mut() {
                first.splice(0..0, clear(&zeroed)?);
            }
            return Some(Selected { blocks, slots: frame });
        }
        for (block, place) in holds {
            body.blocks[block][0].args[0] = Arg::Place(place);
        }
        if walk < WALKS_FREE {
            stores = wanted;
        } else {
            for (have, want) in stores.iter_mut().flatten().zip(wanted.iter().flatten()) {
                *have |= want;
            }
        }
    }
    None
}

/// Instructions that set slots to 0.
fn clear(slots: &[Word]) -> Option<Vec<Encoded>> {
    let encoded = |start: Start, operands: &[u8]| Encoded {
        bytes: [start, operands].concat(),
        target: None,
        callee: None,
        source: 0,
    };
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return Some(Vec::new()) };
    if slots.len() <= CLEARED_SINGLY_MAX {
        let start = form("own", "set_const8")?;
        return Some(slots.iter().map(|slot| encoded(start, &[*slot as u8, 0])).collect());
    }
    Some(vec![encoded(form("own", "clear")?, &[*first as u8, (last + 1 - first) as u8])])
}

/// Slots that are sooner set to 0 one by one.
const CLEARED_SINGLY_MAX: usize = 2;

/// Which results are read from the frame later, and which words are before the function begins.
fn wanted(body: &Body, reads: &[Vec<Vec<Word>>]) -> (Stores, super::body::Words) {
    let of = |block: usize, index: usize| reads[block][index].clone();
    let (behind, before) = alive_behind(body, &of);
    let mut stores: Stores = Vec::new();
    for (block, mut alive) in behind.into_iter().enumerate() {
        let mut temporaries: HashSet<Word> = HashSet::new();
        let mut wanted = vec![false; body.blocks[block].len()];
        for (index, instruction) in body.blocks[block].iter().enumerate().rev() {
            for word in instruction.to.iter().flat_map(|to| to.words()) {
                wanted[index] |= alive.has(word) || temporaries.remove(&word);
            }
            let reads = reads[block][index].clone();
            temporaries.extend(reads.iter().filter(|word| **word >= TEMPORARIES));
            step_back(instruction, reads, &mut alive);
        }
        stores.push(wanted);
    }
    (stores, before)
}

/// One walk over the code.
struct Selector<'b> {
    body: &'b Body,
    stores: &'b Stores,
    accumulator: Accumulator,
    code: Vec<Encoded>,
    /// Words that each instruction reads from the frame.
    reads: Vec<Vec<Vec<Word>>>,
    /// Those of the instruction at hand.
    read: Vec<Word>,
    /// Slots of temporaries of the block at hand, and of what is carried.
    homes: HashMap<Word, Word>,
    next_home: Word,
    first_home: Word,
    slots: u16,
    gives_up: bool,
    source: u32,
    /// What the accumulator holds before and behind each block that is reached.
    borders: Vec<Option<[Accumulator; 2]>>,
    /// Whether the result of the instruction at hand must be stored.
    must_store: bool,
}

impl<'b> Selector<'b> {
    fn new(body: &'b Body, slots: u16, stores: &'b Stores) -> Selector<'b> {
        Selector {
            body,
            stores,
            accumulator: Accumulator::default(),
            code: Vec::new(),
            reads: Vec::new(),
            read: Vec::new(),
            homes: HashMap::new(),
            next_home: slots,
            first_home: slots,
            slots,
            gives_up: false,
            source: 0,
            borders: Vec::new(),
            must_store: false,
        }
    }

    /// Walks until what the accumulator holds at the beginning of each block is known.
    fn walk(&mut self) -> Vec<Vec<Encoded>> {
        let count = self.body.blocks.len();
        let mut entries: Vec<Option<Accumulator>> = vec![None; count];
        if let Some(first) = entries.first_mut() {
            *first = Some(Accumulator::holding(Place::new(CARRIED, 2)));
        }
        loop {
            let mut is_stable = true;
            let mut blocks = Vec::with_capacity(count);
            self.reads.clear();
            self.borders = vec![None; count];
            for block in 0..count {
                let Some(entry) = entries[block].clone() else {
                    blocks.push(Vec::new());
                    self.reads.push(vec![Vec::new(); self.body.blocks[block].len()]);
                    continue;
                };
                self.accumulator = entry.clone();
                blocks.push(self.block(block));
                let mut exit = self.accumulator.clone();
                exit.keep(|word| word < TEMPORARIES);
                self.borders[block] = Some([entry, exit.clone()]);
                for successor in self.body.successors(block) {
                    let merged = match &entries[successor] {
                        None => exit.clone(),
                        Some(others) => others.common(&exit),
                    };
                    if entries[successor].as_ref() != Some(&merged) {
                        entries[successor] = Some(merged);
                        is_stable = false;
                    }
                }
            }
            if is_stable {
                return blocks;
            }
        }
    }

    /// For blocks before heads of loops: what all that goes back brings in the accumulator, and the
    /// head begins with, but what comes from before does not bring.
    fn holds(&self) -> Vec<(usize, Place)> {
        let predecessors = self.body.predecessors();
        let mut holds = Vec::new();
        for (block, instructions) in self.body.blocks.iter().enumerate() {
            let is_free = matches!(instructions.as_slice(), [only]
                if only.operation == Operation::Hold && only.args[0] == Arg::None);
            let (true, Some(Some([entry, _]))) = (is_free, self.borders.get(block + 1)) else {
                continue;
            };
            let mut back: Option<Accumulator> = None;
            for from in predecessors[block + 1].iter().filter(|from| **from != block) {
                if let Some([_, exit]) = &self.borders[*from] {
                    back = Some(back.map_or(exit.clone(), |others| others.common(exit)));
                }
            }
            let Some(back) = back else { continue };
            for instruction in self.body.blocks[block + 1].iter().take(HEAD_INSTRUCTIONS) {
                // The accumulator is for what is stored, before it is for where.
                let stores_constant = matches!(instruction.operation, Operation::Store { .. })
                    && matches!(instruction.args[2], Arg::Constant(_));
                if stores_constant {
                    break;
                }
                let wanted = |arg: &Arg| {
                    let place = arg.place().filter(|place| place.word < SLOTS)?;
                    let is_wanted = back.has(*arg, place.words) && !entry.has(*arg, place.words);
                    is_wanted.then_some(place)
                };
                if let Some(place) = instruction.args.iter().find_map(wanted) {
                    holds.push((block, place));
                    break;
                }
                let is_copy = instruction.operation == Operation::Move;
                if instruction.to.is_some() && !is_copy {
                    break;
                }
            }
        }
        holds
    }

    fn block(&mut self, block: usize) -> Vec<Encoded> {
        self.next_home = self.first_home + 4;
        self.homes.clear();
        let mut reads = Vec::new();
        let body = self.body;
        for (index, instruction) in body.blocks[block].iter().enumerate() {
            self.source = instruction.source;
            self.must_store = self.stores[block][index];
            self.read.clear();
            self.read.extend(instruction.slots_read());
            self.instruction(block, index, instruction);
            reads.push(std::mem::take(&mut self.read));
        }
        self.reads.push(reads);
        std::mem::take(&mut self.code)
    }

    /// The slot that a place has in the frame, which is read.
    fn slot(&mut self, place: Place) -> u8 {
        self.read.extend(place.words());
        self.home(place)
    }

    fn home(&mut self, place: Place) -> u8 {
        let slot = match place.word {
            word if word < SLOTS => word,
            word if word < TEMPORARIES => self.first_home + (word - CARRIED),
            word => {
                let next = self.next_home;
                let home = *self.homes.entry(word).or_insert(next);
                if home == next {
                    self.next_home += 2;
                }
                home
            }
        };
        if slot + 2 > SLOTS && place.word >= SLOTS {
            self.gives_up = true;
        }
        self.slots = self.slots.max(slot + Word::from(place.words));
        slot as u8
    }

    fn emit(&mut self, start: Start, operands: &[u8]) {
        let bytes = [start, operands].concat();
        self.code.push(Encoded { bytes, target: None, callee: None, source: self.source });
    }

    fn emit_own(&mut self, function: &str, operands: &[u8]) {
        match form("own", function) {
            Some(start) => self.emit(start, operands),
            None => self.gives_up = true,
        }
    }

    /// Brings a value to the accumulator.
    fn load(&mut self, arg: Arg, words: u8) {
        if self.accumulator.has(arg, words) {
            return;
        }
        match arg {
            Arg::None => {}
            Arg::Place(place) => {
                let slot = self.slot(place);
                self.emit_own(if words == 1 { "get" } else { "get64" }, &[slot]);
                self.accumulator = Accumulator::holding(Place::new(place.word, words));
            }
            Arg::Constant(value) => {
                let small = i8::try_from(value as i64).ok();
                let small32 = i8::try_from(value as u32 as i32).ok();
                match (words, small32, small) {
                    (1, Some(byte), _) => self.emit_own("const8", &[byte as u8]),
                    (1, None, _) => self.emit_own("const32", &(value as u32).to_le_bytes()),
                    (_, _, Some(byte)) => {
                        self.emit_own("const8", &[byte as u8]);
                        self.emit_own("extend_s", &[]);
                    }
                    _ => self.emit_own("const64", &value.to_le_bytes()),
                }
                self.accumulator = Accumulator::of_constant(value, words);
            }
        }
    }

    /// The instruction left its result in the accumulator.
    fn result(&mut self, to: Option<Place>, is_stored: bool) {
        self.accumulator = to.map_or(Accumulator::default(), Accumulator::holding);
        if let Some(to) = to
            && self.must_store
            && !is_stored
        {
            self.set(to);
        }
    }

    /// Stores the accumulator.
    fn set(&mut self, to: Place) {
        let slot = self.home(to);
        self.emit_own(if to.words == 1 { "set" } else { "set64" }, &[slot]);
    }

    fn instruction(&mut self, block: usize, index: usize, instruction: &Instruction) {
        let [first, second, third] = instruction.args;
        let to = instruction.to;
        match &instruction.operation {
            Operation::Move => self.copy(first, to, block, index),
            Operation::Binary(function) => self.binary(function, first, second, to),
            Operation::Unary(function) => self.unary(function, first, to),
            Operation::Select => self.choose([first, second, third], to),
            Operation::Load { function, offset } => {
                self.load_memory(function, *offset, [first, second], to);
            }
            Operation::Store { function, offset } => {
                self.store_memory(function, *offset, [first, second, third]);
            }
            Operation::GlobalGet(word) => {
                let is_long = to.is_some_and(|to| to.words == 2);
                self.emit_own(if is_long { "global_get64" } else { "global_get" }, &[*word]);
                self.result(to, false);
            }
            Operation::GlobalSet(word, words) => {
                self.load(first, *words);
                self.emit_own(if *words == 2 { "global_set64" } else { "global_set" }, &[*word]);
            }
            Operation::Call { opcode, operands, callee, .. } => {
                if first != Arg::None {
                    self.load(first, 1);
                }
                let bytes = [&[*opcode as u8], operands.as_slice()].concat();
                let source = self.source;
                self.code.push(Encoded { bytes, target: None, callee: *callee, source });
                self.result(to, false);
            }
            Operation::Hold => {
                if let Arg::Place(place) = first {
                    self.load(first, place.words);
                }
            }
            Operation::Other(bytes) => {
                if let Arg::Place(place) = first {
                    self.load(first, place.words);
                }
                self.code.push(Encoded {
                    bytes: bytes.clone(),
                    target: None,
                    callee: None,
                    source: self.source,
                });
                self.result(to, false);
            }
            _ => self.control(block, instruction),
        }
    }

    /// Words of an operand that is no constant, or of one that is told to be long.
    fn width(&self, arg: Arg, is_long: bool) -> u8 {
        match arg {
            Arg::Place(place) => place.words,
            _ if is_long => 2,
            _ => 1,
        }
    }

    fn branch(&mut self, bytes: Vec<u8>, target: Target) {
        let source = self.source;
        self.code.push(Encoded { bytes, target: Some(target), callee: None, source });
    }

    fn control(&mut self, block: usize, instruction: &Instruction) {
        let [first, second, _] = instruction.args;
        match &instruction.operation {
            Operation::Branch(target) => {
                let between = self.body.blocks.get(block + 1..*target);
                let is_empty = |block: &Vec<Instruction>| {
                    let is_nothing = |one: &Instruction| {
                        one.operation == Operation::Hold && one.args[0] == Arg::None
                    };
                    block.iter().all(is_nothing)
                };
                if !between.is_some_and(|between| between.iter().all(is_empty)) {
                    self.branch(vec![Opcode::Branch as u8], Target::Forward(*target));
                }
            }
            Operation::Loop { target, cost } => self.loop_back(*target, *cost),
            Operation::BranchTable(targets) => {
                self.load(first, 1);
                let mut bytes = vec![Opcode::BranchTable as u8];
                bytes.extend(((targets.len() - 1) as u16).to_le_bytes());
                self.branch(bytes, Target::Table(targets.clone()));
            }
            Operation::Return { words, .. } => {
                self.load(first, *words);
                self.emit_own("ret", &[]);
            }
            Operation::Unreachable => self.emit_own("unreachable", &[]),
            Operation::BranchIf { function, target, cost } => {
                self.branch_if(function, [first, second], *target, *cost);
            }
            _ => {}
        }
    }

    fn loop_back(&mut self, block: usize, cost: u16) {
        let is_wide = cost > u8::MAX.into();
        let opcode = if is_wide { Opcode::LoopWide } else { Opcode::Loop };
        self.branch(vec![opcode as u8], Target::Back { block, cost });
    }

    fn branch_if(
        &mut self,
        function: &'static str,
        args: [Arg; 2],
        block: usize,
        cost: Option<u16>,
    ) {
        match cost {
            None => {
                let bytes = self.condition("branch", function, args);
                self.branch(bytes, Target::Forward(block));
            }
            Some(cost) => {
                if cost <= u8::MAX.into() && self.has_condition("loop", function, args) {
                    let bytes = self.condition("loop", function, args);
                    return self.branch(bytes, Target::Back { block, cost });
                }
                let bytes = self.condition("branch", opposite(function), args);
                let loop_bytes = if cost > u8::MAX.into() { 5 } else { 4 };
                let over = bytes.len() as u16 + 2 + loop_bytes;
                self.branch(bytes, Target::Over(over));
                self.loop_back(block, cost);
            }
        }
    }
}
