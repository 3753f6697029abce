//! Walks through one function: how deep its stack is at each instruction, and what it calls from
//! there. Values are followed as far as calls through registers need: sets of constants.

use std::collections::{BTreeMap, BTreeSet};

use super::pointers;
use super::program::Program;
use super::thumb::{self, Effect, Flow, Instruction, LR, SP};

/// Most constants that one register may hold at one place. Chosen: more than the engine has
/// functions behind one template; what exceeds it counts as unknown.
const CONSTANTS_MAX: usize = 128;

/// A call, or a jump to another function for good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// Where it stands.
    pub at: u32,
    /// Bytes of stack in use there, the function's own only.
    pub depth: u32,
    /// What may be called.
    pub targets: BTreeSet<u32>,
}

/// What a walk through a function found.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Bytes of stack where it is deepest, without what it calls.
    pub own_bytes: u32,
    /// What it calls.
    pub calls: Vec<Call>,
    /// Whether it comes back.
    pub returns: bool,
    /// What could not be followed.
    pub findings: BTreeSet<String>,
}

/// What a register holds.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Value {
    Unknown,
    /// One of these.
    Constants(BTreeSet<u32>),
    /// The stack pointer when the stack was so deep.
    Stack(i32),
}

impl Value {
    fn constant(value: u32) -> Self {
        Self::Constants(BTreeSet::from([value]))
    }

    fn map(&self, with: impl Fn(u32) -> Option<u32>) -> Self {
        let Self::Constants(values) = self else { return Self::Unknown };
        let mapped: Option<BTreeSet<u32>> = values.iter().map(|value| with(*value)).collect();
        mapped.map_or(Self::Unknown, Self::Constants)
    }

    fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Constants(a), Self::Constants(b)) if a.len() + b.len() <= CONSTANTS_MAX => {
                Self::Constants(a | b)
            }
            _ if self == other => self.clone(),
            _ => Self::Unknown,
        }
    }
}

/// What is known before an instruction.
#[derive(Clone, Debug, Eq, PartialEq)]
struct State {
    depth: i32,
    registers: [Value; 16],
}

impl State {
    fn entry() -> Self {
        Self { depth: 0, registers: std::array::from_fn(|_| Value::Unknown) }
    }

    fn value(&self, register: u8) -> Value {
        if register == SP {
            return Value::Stack(self.depth);
        }
        self.registers.get(usize::from(register)).cloned().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, register: u8, value: Value) -> Result<(), String> {
        if register == SP {
            let Value::Stack(depth) = value else { return Err("sets the stack pointer".into()) };
            self.depth = depth;
        } else if let Some(held) = self.registers.get_mut(usize::from(register)) {
            *held = value;
        }
        Ok(())
    }

    fn forget(&mut self, registers: u16) -> Result<(), String> {
        let mut lost = (0..16).filter(|register| registers & (1 << register) != 0);
        lost.try_for_each(|register| self.set(register, Value::Unknown))
    }

    /// What holds when control may come from either. None if nothing is new.
    fn join(&self, other: &Self) -> Result<Option<Self>, String> {
        if self.depth != other.depth {
            return Err(format!("comes by ways of {} and {} bytes", self.depth, other.depth));
        }
        let registers = std::array::from_fn(|index| {
            match (self.registers.get(index), other.registers.get(index)) {
                (Some(a), Some(b)) => a.join(b),
                _ => Value::Unknown,
            }
        });
        let joined = Self { depth: self.depth, registers };
        Ok((joined != *self).then_some(joined))
    }

    fn apply(&mut self, program: &Program, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::None | Effect::Store { .. } => Ok(()),
            Effect::Push { bytes } => {
                self.depth += bytes;
                Ok(())
            }
            Effect::Pop { bytes, registers } => {
                self.depth -= bytes;
                self.forget(registers)
            }
            Effect::Constant { to, value } => self.set(to, Value::constant(value)),
            Effect::Upper { to, value } => {
                let upper = u32::from(value) << 16;
                let value = self.value(to).map(|low| Some(low & 0xffff | upper));
                self.set(to, value)
            }
            Effect::Add { to, from, value } => {
                let sum = match self.value(from) {
                    Value::Stack(depth) => Value::Stack(depth - value),
                    other => other.map(|base| Some(base.wrapping_add_signed(value))),
                };
                self.set(to, sum)
            }
            Effect::Load { to, base, offset } => {
                let value = self.value(base).map(|base| program.word(base.wrapping_add(offset)));
                self.set(to, value)
            }
            Effect::LoadAt { to, address } => {
                let value = program.word(address).map_or(Value::Unknown, Value::constant);
                self.set(to, value)
            }
            Effect::Write(registers) => self.forget(registers),
        }
    }
}

/// A place that control can come to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    /// An instruction.
    At(u32),
    /// A dispatch of the engine's core: any handler of its tables comes next.
    Handlers,
}

/// Walks through one function.
pub struct Walk<'a> {
    program: &'a Program,
    /// Whether a function comes back, which the caller finds out first.
    returns: &'a mut dyn FnMut(u32) -> bool,
    start: u32,
    end: u32,
    name: String,
    states: BTreeMap<Place, State>,
    queue: BTreeSet<Place>,
    calls: BTreeMap<u32, Call>,
    found: Walked,
}

impl<'a> Walk<'a> {
    /// Begins at the first instruction of a function.
    pub fn new(program: &'a Program, start: u32, returns: &'a mut dyn FnMut(u32) -> bool) -> Self {
        let function = program.function(start);
        let end = function.map_or(start, |function| function.end);
        let name = program.name(start);
        let mut found = Walked::default();
        if function.is_none() {
            found.findings.insert(format!("{start:#x}: no function begins here"));
            found.returns = true;
        }
        Self {
            program,
            returns,
            start,
            end,
            name,
            states: BTreeMap::new(),
            queue: BTreeSet::new(),
            calls: BTreeMap::new(),
            found,
        }
    }

    /// Follows every way through the function.
    pub fn run(mut self) -> Walked {
        if self.start < self.end {
            self.come(Place::At(self.start), &State::entry());
        }
        while let Some(place) = self.queue.pop_first() {
            let Some(state) = self.states.get(&place).cloned() else { continue };
            match place {
                Place::At(address) => self.block(address, state),
                Place::Handlers => {
                    for handler in pointers::handlers(self.program) {
                        self.come(Place::At(handler), &state);
                    }
                }
            }
        }
        self.found.calls = self.calls.into_values().collect();
        self.found
    }

    fn finding(&mut self, at: u32, text: &str) {
        self.found.findings.insert(format!("{} at {at:#x}: {text}", self.name));
    }

    fn come(&mut self, place: Place, state: &State) {
        if let Place::At(address) = place
            && (address < self.start || address >= self.end || self.program.is_data(address))
        {
            return self.finding(address, "goes on where no code of the function is");
        }
        let joined = match self.states.get(&place) {
            None => Some(state.clone()),
            Some(known) => match known.join(state) {
                Ok(joined) => joined,
                Err(text) => {
                    if let Place::At(address) = place {
                        self.finding(address, &text);
                    }
                    None
                }
            },
        };
        if let Some(joined) = joined {
            self.states.insert(place, joined);
            self.queue.insert(place);
        }
    }

    fn decode(&self, address: u32) -> Instruction {
        let first = self.program.halfword(address).unwrap_or(0xde00);
        thumb::decode(address, first, self.program.halfword(address + 2).unwrap_or(0))
    }

    /// One instruction, or all that an `IT` makes conditional.
    fn block(&mut self, address: u32, state: State) {
        let instruction = self.decode(address);
        if instruction.it == 0 {
            if let Some(next) = self.step(address, instruction, state) {
                self.come(Place::At(address + instruction.bytes), &next);
            }
            return;
        }
        // The mask ends with a one; the bits before it say whose condition is the other one.
        let count = 4 - (instruction.it & 15).trailing_zeros();
        for is_true in [true, false] {
            self.conditional(address + 2, instruction.it, count, Some(is_true), state.clone());
        }
    }

    /// The rest of what an `IT` makes conditional. `is_true` is unknown behind a comparison.
    fn conditional(&mut self, at: u32, it: u8, left: u32, is_true: Option<bool>, state: State) {
        let instruction = self.decode(at);
        if left == 0 {
            // Another one of the same condition, or of the opposite, goes the same way.
            let is_next_true = match (instruction.it >> 4) ^ (it >> 4) {
                _ if instruction.it == 0 => None,
                0 => is_true,
                1 => is_true.map(|is_true| !is_true),
                _ => None,
            };
            return match is_next_true {
                Some(_) => {
                    let count = 4 - (instruction.it & 15).trailing_zeros();
                    self.conditional(at + 2, instruction.it, count, is_next_true, state);
                }
                None => self.come(Place::At(at), &state),
            };
        }
        let total = 4 - (it & 15).trailing_zeros();
        // The first one has the condition itself; each later one a bit of the mask.
        let is_same = left == total || (it >> (4 - (total - left))) & 1 == (it >> 4) & 1;
        let next_at = at + instruction.bytes;
        let executed = is_true.is_none_or(|is_true| is_true == is_same);
        let skipped = is_true.is_none_or(|is_true| is_true != is_same);
        if skipped {
            self.conditional(next_at, it, left - 1, is_true, state.clone());
        }
        if executed {
            // Inside, only comparisons change the flags.
            let is_true = if instruction.compares { None } else { is_true };
            if let Some(next) = self.step(at, instruction, state) {
                self.conditional(next_at, it, left - 1, is_true, next);
            }
        }
    }

    /// Does one instruction, and answers what holds behind it, if control gets there.
    fn step(&mut self, at: u32, instruction: Instruction, mut state: State) -> Option<State> {
        if let Err(text) = state.apply(self.program, instruction.effect) {
            if self.name == super::FAULT {
                state.depth = super::FAULT_FRAME_BYTES;
            } else {
                self.finding(at, &text);
            }
        }
        self.found.own_bytes = self.found.own_bytes.max(state.depth.max(0) as u32);
        match instruction.flow {
            Flow::Next => return Some(state),
            Flow::Branch(target) => {
                self.jump(at, target, &state);
                return Some(state);
            }
            Flow::Jump(target) => self.jump(at, target, &state),
            Flow::Call(target) if self.is_cut_out(target) => {
                return self.cut_out(target, state, false);
            }
            Flow::Call(target) => return self.call(at, BTreeSet::from([target]), state),
            Flow::CallRegister(register) => {
                let targets = self.targets(at, &state.value(register));
                return self.call(at, targets, state);
            }
            Flow::JumpRegister(LR) if state.value(LR) == Value::Unknown => {
                self.leave(at, state.depth)
            }
            Flow::JumpRegister(register) => match state.value(register) {
                Value::Constants(targets) => {
                    for target in targets {
                        self.jump(at, target & !1, &state);
                    }
                }
                unknown => {
                    let targets = self.targets(at, &unknown);
                    self.leave_to(at, targets, &state);
                }
            },
            Flow::Return => self.leave(at, state.depth),
            Flow::Table { halfwords } => {
                for target in self.table(at + instruction.bytes, halfwords) {
                    self.come(Place::At(target), &state);
                }
            }
            Flow::JumpIndexed if pointers::is_core(self.program, at) => {
                self.come(Place::Handlers, &state);
            }
            Flow::JumpIndexed | Flow::JumpUnknown => {
                self.finding(at, "jumps to an address that is not known");
            }
            Flow::Stop => {}
        }
        None
    }

    /// The targets of a branch through a table of distances. The table ends where the nearest of
    /// them begins.
    fn table(&mut self, base: u32, halfwords: bool) -> BTreeSet<u32> {
        let (mut targets, mut at) = (BTreeSet::new(), base);
        while targets.first().is_none_or(|nearest| at < *nearest) && self.program.is_data(at) {
            let (distance, bytes) = if halfwords {
                (self.program.halfword(at).map(u32::from), 2)
            } else {
                (self.program.byte(at).map(u32::from), 1)
            };
            let target = base + 2 * distance.unwrap_or(0);
            // The byte that fills the last halfword.
            if !halfwords && distance == Some(0) && at & 1 == 1 && !targets.is_empty() {
                break;
            }
            targets.insert(target);
            at += bytes;
        }
        targets
    }

    /// What a call through a register may reach.
    fn targets(&mut self, at: u32, value: &Value) -> BTreeSet<u32> {
        if let Value::Constants(targets) = value {
            return targets.iter().map(|target| target & !1).collect();
        }
        let named = pointers::targets(self.program, &self.name);
        if named.is_none() {
            self.finding(at, "calls through a pointer that no table names");
        }
        named.unwrap_or_default()
    }

    fn jump(&mut self, at: u32, target: u32, state: &State) {
        if target >= self.start && target < self.end {
            self.come(Place::At(target), state);
        } else if self.is_cut_out(target) {
            self.cut_out(target, state.clone(), true);
        } else {
            self.leave_to(at, BTreeSet::from([target]), state);
        }
    }

    /// Whether the compiler has cut the code there out of several functions, to save flash. It uses
    /// their registers and their stack, so it counts as a part of each.
    fn is_cut_out(&self, target: u32) -> bool {
        let function = self.program.function(target);
        function.is_some_and(|function| function.name.starts_with("OUTLINED_FUNCTION_"))
    }

    /// Goes through such code, which has no branches. `is_last` if it does not come back.
    fn cut_out(&mut self, target: u32, mut state: State, is_last: bool) -> Option<State> {
        let mut at = target;
        let end = self.program.function(target).map_or(target, |function| function.end);
        while at < end {
            let instruction = self.decode(at);
            let next = match instruction.flow {
                _ if instruction.it != 0 => break,
                Flow::Next | Flow::Call(_) | Flow::CallRegister(_) => {
                    state = self.step(at, instruction, state)?;
                    at += instruction.bytes;
                    continue;
                }
                Flow::JumpRegister(LR) if state.value(LR) == Value::Unknown => Some(state),
                Flow::Return => {
                    // What it pops is its own, or that of the function it was the end of.
                    if let Err(text) = state.apply(self.program, instruction.effect) {
                        self.finding(at, &text);
                    }
                    Some(state)
                }
                Flow::Jump(target) if self.is_cut_out(target) => {
                    return self.cut_out(target, state, is_last);
                }
                Flow::Jump(target) => self.call(at, BTreeSet::from([target]), state),
                Flow::JumpRegister(register) => {
                    let targets = self.targets(at, &state.value(register));
                    self.call(at, targets, state)
                }
                _ => break,
            };
            if is_last && let Some(state) = &next {
                self.leave(at, state.depth);
            }
            return next.filter(|_| !is_last);
        }
        self.finding(at, "cut out code goes on in a way that is not known");
        None
    }

    /// Ends in another function.
    fn leave_to(&mut self, at: u32, targets: BTreeSet<u32>, state: &State) {
        let returns = targets.iter().filter(|target| (self.returns)(**target)).count();
        if returns > 0 || targets.is_empty() {
            self.leave(at, state.depth);
        }
        self.record(at, targets, state.depth);
    }

    fn leave(&mut self, at: u32, depth: i32) {
        if depth != 0 {
            self.finding(at, &format!("returns with {depth} bytes on the stack"));
        }
        self.found.returns = true;
    }

    fn call(&mut self, at: u32, targets: BTreeSet<u32>, mut state: State) -> Option<State> {
        let returns = targets.iter().filter(|target| (self.returns)(**target)).count();
        // An unknown target is a finding already; control may come back from it.
        let comes_back = returns > 0 || targets.is_empty();
        self.record(at, targets, state.depth);
        // What the procedure call standard leaves to the callee.
        _ = state.forget(0b0101_0000_0000_1111);
        comes_back.then_some(state)
    }

    fn record(&mut self, at: u32, targets: BTreeSet<u32>, depth: i32) {
        let depth = depth.max(0) as u32;
        let known = self.calls.entry(at).or_insert(Call { at, depth, targets: BTreeSet::new() });
        known.depth = known.depth.max(depth);
        known.targets.extend(targets);
    }
}
