//! Conditions, and the branches they fuse with.
use super::{Entry, Kind, Lowering, Value};
use crate::assembler::{Label, hot};
use crate::module::Type;
use wasmbed_engine::Opcode;
use wasmparser::Operator;

/// A 32-bit comparison whose only use is a branch. Its index is that of the opcode rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    index: u8,
    first: Entry,
    second: Entry,
}

impl Condition {
    pub(super) fn inverted(self) -> Condition {
        Condition { index: inverted(self.index), ..self }
    }
}

/// Operands of a comparing branch, ready to be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Slots([u8; 2]),
    Accumulator([u8; 1]),
}

const EQ: u8 = 0;
const NE: u8 = 1;
const LT_S: u8 = 2;
const LT_U: u8 = 3;

/// The comparison that gives the same with its operands exchanged.
pub(super) fn swapped(index: u8) -> u8 {
    [0, 1, 4, 5, 2, 3, 8, 9, 6, 7][usize::from(index)]
}

/// The comparison that gives the opposite.
fn inverted(index: u8) -> u8 {
    [1, 0, 8, 9, 6, 7, 4, 5, 2, 3][usize::from(index)]
}

/// Index of a 32-bit comparison among the opcode rows.
pub(super) fn comparison32(operator: &Operator<'_>) -> Option<u8> {
    Some(match operator {
        Operator::I32Eq | Operator::I32Eqz => EQ,
        Operator::I32Ne => NE,
        Operator::I32LtS => LT_S,
        Operator::I32LtU => LT_U,
        Operator::I32GtS => 4,
        Operator::I32GtU => 5,
        Operator::I32LeS => 6,
        Operator::I32LeU => 7,
        Operator::I32GeS => 8,
        Operator::I32GeU => 9,
        // A plain condition is a comparison with 0 that the branch brings along.
        _ => return None,
    })
}

/// Index of a 64-bit comparison among the opcode rows.
pub(super) fn comparison64(operator: &Operator<'_>) -> Option<u8> {
    Some(match operator {
        Operator::I64Eq | Operator::I64Eqz => EQ,
        Operator::I64Ne => NE,
        Operator::I64LtS => LT_S,
        Operator::I64LtU => LT_U,
        Operator::I64GtS => 4,
        Operator::I64GtU => 5,
        Operator::I64LeS => 6,
        Operator::I64LeU => 7,
        Operator::I64GeS => 8,
        Operator::I64GeU => 9,
        _ => return None,
    })
}

impl Lowering<'_, '_> {
    /// Takes the operands of the comparison `index`, one if it is `eqz` (told by `is_unary`).
    pub(super) fn pop_comparison(&mut self, index: u8, is_unary: bool) -> Condition {
        let zero = Entry { value: Value::Constant(0), ty: Type::I32, home: self.next_home() };
        let second = if is_unary { zero } else { self.pop() };
        let first = self.pop();
        Condition { index, first, second }
    }

    /// The topmost entry as a condition: whether it is not 0.
    pub(super) fn pop_truth(&mut self) -> Condition {
        self.pop_comparison(NE, true)
    }

    /// Brings the operands into a form that a branch has; the comparison may change with it.
    fn form(&mut self, condition: Condition) -> (u8, Form) {
        let Condition { mut index, mut first, mut second } = condition;
        let is_constant = |entry: Entry| matches!(entry.value, Value::Constant(_));
        if is_constant(first) && !is_constant(second) {
            (first, second, index) = (second, first, swapped(index));
        }
        if is_constant(second) {
            let slot = self.settle(first);
            self.load(second);
            return (swapped(index), Form::Accumulator([self.name(slot, 1, 0)]));
        }
        match (first.value, second.value) {
            (_, Value::Slot(slot)) if self.in_accumulator(first) => {
                (index, Form::Accumulator([self.name(slot, 1, 0)]))
            }
            (Value::Slot(slot), _) if self.in_accumulator(second) => {
                (swapped(index), Form::Accumulator([self.name(slot, 1, 0)]))
            }
            (Value::Slot(one), Value::Slot(other)) => {
                (index, Form::Slots([self.name(one, 1, 0), self.name(other, 1, 1)]))
            }
            // Two entries in the one accumulator: there is no such stack.
            _ => (index, Form::Slots([0, 0])),
        }
    }

    /// Branches forward if the comparison holds.
    fn branch_forward(&mut self, index: u8, form: Form, label: &mut Label) {
        match form {
            Form::Slots([one, other]) => {
                let (row, slots) = match index {
                    4 | 5 => (index - 2, [other, one]),
                    6 | 7 => (index - 2, [one, other]),
                    8 | 9 => (index - 4, [other, one]),
                    _ => (index, [one, other]),
                };
                self.assembler.emit_branch(hot(Opcode::BranchIfEqRr, row), &slots, label);
            }
            Form::Accumulator(operands) => {
                self.assembler.emit_branch(hot(Opcode::BranchIfEqAr, index), &operands, label);
            }
        }
    }

    /// Branches back if the comparison holds: goes forward over a back-edge if it does not.
    fn branch_back(&mut self, index: u8, form: Form, target: usize, cost: u32) {
        let mut behind = Label::default();
        self.branch_forward(inverted(index), form, &mut behind);
        self.loop_back(target, cost);
        self.assembler.bind(&behind);
    }

    fn loop_back(&mut self, target: usize, cost: u32) {
        let is_wide = cost > u8::MAX.into();
        let opcode = if is_wide { Opcode::LoopWide } else { Opcode::Loop };
        self.assembler.emit_loop(opcode as u8, &[], target, cost);
    }

    /// Branches to `label` if the condition does not hold.
    pub(super) fn branch_unless(&mut self, condition: Condition, label: &mut Label) {
        let (index, form) = self.form(condition.inverted());
        self.branch_forward(index, form, label);
    }

    /// `br_if`.
    pub(super) fn branch_if(&mut self, depth: u32, condition: Condition) {
        let at = self.control.len() - 1 - depth as usize;
        if self.carries_accumulator(at) {
            return self.branch_if_with_result(at, condition);
        }
        if !self.carried(at).is_empty() {
            self.spill();
        }
        if !self.is_landed(at) {
            // Values have to be moved on the one path only.
            let mut behind = Label::default();
            self.branch_unless(condition, &mut behind);
            let (holds, stack) = (self.holds, self.stack.clone());
            self.branch(depth, None);
            self.assembler.bind(&behind);
            (self.holds, self.stack) = (holds, stack);
            return;
        }
        let (index, form) = self.form(condition);
        match self.control[at].kind {
            Kind::Loop { target, cost } => self.branch_back(index, form, target, cost),
            _ => {
                let mut end = std::mem::take(&mut self.control[at].end);
                self.branch_forward(index, form, &mut end);
                self.control[at].end = end;
            }
        }
    }

    /// `br_if` to where one result is expected, in the accumulator on the one path only.
    fn branch_if_with_result(&mut self, at: usize, condition: Condition) {
        let mut behind = Label::default();
        self.branch_unless(condition, &mut behind);
        let holds = self.holds;
        if let Some(result) = self.stack.last().copied()
            && result.value != Value::Accumulator
        {
            self.load_copy(result);
        }
        let mut end = std::mem::take(&mut self.control[at].end);
        self.assembler.emit_branch(Opcode::Branch as u8, &[], &mut end);
        self.control[at].end = end;
        self.assembler.bind(&behind);
        self.holds = holds;
    }

    /// Loads an entry that stays on the stack, where no other one is in the accumulator.
    fn load_copy(&mut self, entry: Entry) {
        let stack = std::mem::take(&mut self.stack);
        self.load(entry);
        self.stack = stack;
    }

    /// `br`, or the same from a table.
    pub(super) fn branch(&mut self, depth: u32, result: Option<Entry>) {
        let at = self.control.len() - 1 - depth as usize;
        if let Some(result) = result {
            self.load(result);
        }
        self.carry_to(at);
        match self.control[at].kind {
            Kind::Loop { target, cost } => self.loop_back(target, cost),
            Kind::Function => self.emit(Opcode::Return, &[]),
            _ => {
                let mut end = std::mem::take(&mut self.control[at].end);
                self.assembler.emit_branch(Opcode::Branch as u8, &[], &mut end);
                self.control[at].end = end;
            }
        }
    }

    /// What a branch to `depth` carries in the accumulator, popped.
    pub(super) fn pop_carried(&mut self, depth: u32) -> Option<Entry> {
        let at = self.control.len() - 1 - depth as usize;
        self.carries_accumulator(at).then(|| self.pop())
    }

    /// `br_table`.
    pub(super) fn branch_table(&mut self, depths: &[u32]) {
        let index = self.pop();
        let innermost = depths.first().map_or(0, |depth| *depth as usize);
        let count = self.carried(self.control.len() - 1 - innermost).len();
        let carried = self.stack.len() - count..self.stack.len();
        let uses_accumulator =
            self.stack[carried.clone()].iter().any(|entry| Self::is_large(*entry));
        let index = if uses_accumulator { self.settled(index) } else { index };
        self.spill();
        for entry in carried {
            let slot = self.settle(self.stack[entry]);
            self.stack[entry].value = Value::Slot(slot);
        }
        self.load(index);
        let mut distinct: Vec<u32> = Vec::new();
        let targets: Vec<usize> = depths
            .iter()
            .map(|depth| {
                distinct.iter().position(|known| known == depth).unwrap_or_else(|| {
                    distinct.push(*depth);
                    distinct.len() - 1
                })
            })
            .collect();
        let mut pads = vec![Label::default(); distinct.len()];
        // A plain block needs no pad: the table leads to its end.
        for (depth, pad) in distinct.iter().zip(&mut pads) {
            let at = self.control.len() - 1 - *depth as usize;
            if self.is_direct(at) {
                *pad = std::mem::take(&mut self.control[at].end);
            }
        }
        self.assembler.emit_table(&mut pads, &targets);
        for (depth, pad) in distinct.iter().zip(pads) {
            let at = self.control.len() - 1 - *depth as usize;
            if self.is_direct(at) {
                self.control[at].end = pad;
            } else {
                self.assembler.bind(&pad);
                self.holds = None;
                let stack = self.stack.clone();
                let carried = self.pop_carried(*depth);
                self.branch(*depth, carried);
                self.stack = stack;
            }
        }
    }

    fn is_direct(&self, at: usize) -> bool {
        let is_plain = matches!(self.control[at].kind, Kind::Block | Kind::If { .. } | Kind::Else);
        is_plain && self.control[at].results.is_empty()
    }
}
