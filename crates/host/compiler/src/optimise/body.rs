//! A function between lowering and encoding: blocks of instructions that name values, not places.
use std::collections::HashMap;
use wasmbed_engine::Opcode;

/// Number of a word: a slot of the frame, a half of [`CARRIED`], or a half of a temporary.
pub(super) type Word = u16;

/// Slots that an operand can name come first.
pub(super) const SLOTS: Word = 256;

/// What the accumulator carries from block to block; two words.
pub(super) const CARRIED: Word = SLOTS;

/// Results that no slot holds; two words each. They live in one block only.
pub(super) const TEMPORARIES: Word = SLOTS + 2;

/// One or two neighbouring words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) word: Word,
    pub(super) words: u8,
}

impl Place {
    pub(super) fn new(word: Word, words: u8) -> Place {
        Place { word, words }
    }

    pub(super) fn words(self) -> impl Iterator<Item = Word> {
        self.word..self.word + Word::from(self.words)
    }

    pub(super) fn has(self, word: Word) -> bool {
        self.words().any(|own| own == word)
    }

    pub(super) fn overlaps(self, other: Place) -> bool {
        self.words().any(|word| other.has(word))
    }
}

/// An operand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arg {
    None,
    Constant(u64),
    Place(Place),
}

impl Arg {
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Arg::Place(place) => Some(place),
            _ => None,
        }
    }
}

/// What an instruction does. Functions are named as in the table of opcodes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Move,
    Binary(&'static str),
    Unary(&'static str),
    /// Condition, value if it is not 0, value if it is.
    Select,
    /// Base, and what is added to it in 32 bits. Only the offset may carry into bit 33.
    Load {
        function: &'static str,
        offset: u32,
    },
    /// Base, addend, value.
    Store {
        function: &'static str,
        offset: u32,
    },
    GlobalGet(u8),
    /// A word of the globals, and how many are set.
    GlobalSet(u8, u8),
    /// A call with its operands as they are encoded, and the words of its arguments.
    Call {
        opcode: Opcode,
        operands: Vec<u8>,
        /// The defined function, where the call names one.
        callee: Option<u32>,
        base: Word,
        params: u16,
    },
    Branch(usize),
    /// Branches if the comparison of the operands holds; a back-edge has a cost.
    BranchIf {
        function: &'static str,
        target: usize,
        cost: Option<u16>,
    },
    Loop {
        target: usize,
        cost: u16,
    },
    BranchTable(Vec<usize>),
    /// Words of the result in the accumulator, or of several that are in the first slots.
    Return {
        words: u8,
        several: u16,
    },
    Unreachable,
    /// Before the head of a loop: brings what the head begins with to the accumulator, if anything.
    Hold,
    /// Anything else: may read and write the accumulator and every slot.
    Other(Vec<u8>),
}

/// One instruction.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    pub(super) operation: Operation,
    pub(super) to: Option<Place>,
    pub(super) args: [Arg; 3],
    /// Offset in the WebAssembly module.
    pub(super) source: u32,
}

impl Instruction {
    /// Words that are read, in slots or elsewhere.
    pub(super) fn reads(&self) -> Vec<Word> {
        let mut words: Vec<Word> = self.slots_read().collect();
        words.extend(self.args.iter().filter_map(|arg| arg.place()).flat_map(Place::words));
        words
    }

    /// Slots that are read as they lie in the frame.
    pub(super) fn slots_read(&self) -> std::ops::Range<Word> {
        match &self.operation {
            Operation::Call { base, params, .. } => *base..*base + *params,
            Operation::Return { several, .. } => 0..*several,
            Operation::Other(_) => 0..SLOTS,
            _ => 0..0,
        }
    }

    /// Words that have another value afterwards.
    pub(super) fn changes(&self, word: Word) -> bool {
        self.to.is_some_and(|to| to.has(word)) || self.clobbers().contains(&word)
    }

    /// Slots that have any value afterwards.
    pub(super) fn clobbers(&self) -> std::ops::Range<Word> {
        match &self.operation {
            Operation::Call { base, .. } => *base..SLOTS,
            Operation::Other(_) => 0..SLOTS,
            _ => 0..0,
        }
    }

    /// Whether nothing but its result would be missed.
    pub(super) fn is_pure(&self) -> bool {
        match &self.operation {
            Operation::Binary(function) => {
                !function.starts_with("div") && !function.starts_with("rem")
            }
            Operation::Unary(function) => !function.starts_with("trap"),
            Operation::Move | Operation::Select | Operation::GlobalGet(_) => true,
            _ => false,
        }
    }

    /// Where control may go, besides to what follows.
    pub(super) fn targets(&self) -> Vec<usize> {
        match &self.operation {
            Operation::Branch(target)
            | Operation::BranchIf { target, .. }
            | Operation::Loop { target, .. } => vec![*target],
            Operation::BranchTable(targets) => targets.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether what follows is not reached from here.
    pub(super) fn ends(&self) -> bool {
        matches!(
            self.operation,
            Operation::Branch(_)
                | Operation::Loop { .. }
                | Operation::BranchTable(_)
                | Operation::Return { .. }
                | Operation::Unreachable
        )
    }
}

/// A function's code.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// In the order of the code; control falls from one to the next.
    pub(super) blocks: Vec<Vec<Instruction>>,
    /// Number of the next temporary.
    pub(super) words: Word,
}

impl Body {
    /// Where control goes from the end of a block.
    pub(super) fn successors(&self, block: usize) -> Vec<usize> {
        let mut successors: Vec<usize> =
            self.blocks[block].iter().flat_map(Instruction::targets).collect();
        let falls = self.blocks[block].last().is_none_or(|last| !last.ends());
        if falls && block + 1 < self.blocks.len() {
            successors.push(block + 1);
        }
        successors
    }

    /// From where control comes to each block.
    pub(super) fn predecessors(&self) -> Vec<Vec<usize>> {
        let mut predecessors = vec![Vec::new(); self.blocks.len()];
        for block in 0..self.blocks.len() {
            for successor in self.successors(block) {
                predecessors[successor].push(block);
            }
        }
        predecessors
    }
}

/// Where in a block each temporary is read last.
pub(super) fn last_reads(block: &[Instruction]) -> HashMap<Word, usize> {
    let mut last = HashMap::new();
    for (index, instruction) in block.iter().enumerate() {
        for place in instruction.args.iter().filter_map(|arg| arg.place()) {
            last.extend(
                place.words().filter(|word| *word >= TEMPORARIES).map(|word| (word, index)),
            );
        }
    }
    last
}

/// A set of words that live across blocks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Words([u64; 5]);

impl Words {
    pub(super) fn has(&self, word: Word) -> bool {
        self.0.get(usize::from(word / 64)).is_some_and(|bits| bits >> (word % 64) & 1 != 0)
    }

    pub(super) fn insert(&mut self, word: Word) {
        if word < TEMPORARIES {
            self.0[usize::from(word / 64)] |= 1 << (word % 64);
        }
    }

    pub(super) fn remove(&mut self, word: Word) {
        if word < TEMPORARIES {
            self.0[usize::from(word / 64)] &= !(1 << (word % 64));
        }
    }

    pub(super) fn union(&mut self, other: &Words) {
        for (own, others) in self.0.iter_mut().zip(other.0) {
            *own |= others;
        }
    }
}

/// Words that are alive at the end of each block, where `reads` tells what an instruction reads.
pub(super) fn alive_behind(
    body: &Body,
    reads: &dyn Fn(usize, usize) -> Vec<Word>,
) -> (Vec<Words>, Words) {
    let count = body.blocks.len();
    let mut before = vec![Words::default(); count];
    let mut behind = vec![Words::default(); count];
    loop {
        let mut is_stable = true;
        for block in (0..count).rev() {
            let mut alive = Words::default();
            for successor in body.successors(block) {
                alive.union(&before[successor]);
            }
            behind[block] = alive;
            for (index, instruction) in body.blocks[block].iter().enumerate().rev() {
                step_back(instruction, reads(block, index), &mut alive);
            }
            is_stable &= before[block] == alive;
            before[block] = alive;
        }
        if is_stable {
            return (behind, before.first().copied().unwrap_or_default());
        }
    }
}

/// What is alive before an instruction, from what is alive behind it.
pub(super) fn step_back(instruction: &Instruction, reads: Vec<Word>, alive: &mut Words) {
    for word in instruction.to.iter().flat_map(|to| to.words()).chain(instruction.clobbers()) {
        alive.remove(word);
    }
    for word in reads {
        alive.insert(word);
    }
}
