//! Arithmetic, comparisons that leave a value, and the forms their operands take.
use super::branch::swapped;
use super::{Entry, Lowering, Value};
use crate::assembler::{cold, hot};
use crate::module::Type;
use wasmbed_engine::{ColdOpcode, Opcode};

/// Operations of the first page, in the order of its rows: those up to `MUL` commute.
pub(super) const ADD: u8 = 0;
pub(super) const AND: u8 = 1;
pub(super) const OR: u8 = 2;
pub(super) const XOR: u8 = 3;
pub(super) const MUL: u8 = 4;
pub(super) const SUB: u8 = 5;
pub(super) const SHL: u8 = 6;
pub(super) const SHR_S: u8 = 7;
pub(super) const SHR_U: u8 = 8;

impl Lowering<'_, '_> {
    /// Pops two operands; of an operation that commutes, a constant comes second.
    fn pop_two(&mut self, commutes: bool) -> (Entry, Entry) {
        let second = self.pop();
        let first = self.pop();
        let is_constant = |entry: Entry| matches!(entry.value, Value::Constant(_));
        if commutes && is_constant(first) && !is_constant(second) {
            (second, first)
        } else {
            (first, second)
        }
    }

    /// The first operand as something other than a constant.
    fn unconstant(&mut self, first: Entry, second: Entry) -> (Entry, Entry) {
        if !matches!(first.value, Value::Constant(_)) {
            return (first, second);
        }
        let second = if Self::is_large(first) { self.settled(second) } else { second };
        let slot = self.settle(first);
        (Entry { value: Value::Slot(slot), ..first }, second)
    }

    pub(super) fn binary32(&mut self, operation: u8) {
        let (first, second) = self.pop_two(operation <= MUL);
        if let Value::Constant(value) = second.value {
            self.constant32(operation, first, value);
            return self.push_result(Type::I32);
        }
        if operation == SUB && first.value == Value::Constant(0) {
            // A negation: it has a form with a constant, a difference from a constant has none.
            self.constant32(MUL, second, u32::MAX.into());
            return self.push_result(Type::I32);
        }
        let (first, second) = self.unconstant(first, second);
        self.spill();
        let from_accumulator = |lowering: &mut Self, slot: u16| {
            let slot = lowering.name(slot, 1, 0);
            lowering.assembler.emit(hot(Opcode::AddAr, operation), &[slot]);
        };
        match (first.value, second.value) {
            (Value::Slot(slot), _) if self.in_accumulator(second) && operation <= MUL => {
                from_accumulator(self, slot);
            }
            (Value::Slot(slot), Value::Accumulator) => {
                let slot = self.name(slot, 1, 0);
                self.assembler.emit(hot(Opcode::SubRa, operation - SUB), &[slot]);
            }
            (_, Value::Slot(slot)) if self.in_accumulator(first) => from_accumulator(self, slot),
            (Value::Slot(slot), _) if self.in_accumulator(second) => {
                let slot = self.name(slot, 1, 0);
                self.assembler.emit(hot(Opcode::SubRa, operation - SUB), &[slot]);
            }
            (Value::Slot(one), Value::Slot(other)) => {
                let names = [self.name(one, 1, 0), self.name(other, 1, 1)];
                self.assembler.emit(hot(Opcode::AddRr, operation), &names);
            }
            _ => {}
        }
        self.push_result(Type::I32);
    }

    fn constant32(&mut self, operation: u8, first: Entry, value: u64) {
        self.load(first);
        self.spill();
        match operation {
            SHL..=SHR_U => {
                self.assembler.emit(hot(Opcode::ShlAi, operation - SHL), &[value as u8 & 31]);
            }
            SUB => self.emit(Opcode::AddAj, &(value as u32).wrapping_neg().to_le_bytes()),
            _ => {
                self.assembler.emit(hot(Opcode::AddAj, operation), &(value as u32).to_le_bytes());
            }
        }
    }

    pub(super) fn binary64(&mut self, operation: u8) {
        let (first, second) = self.pop_two(operation <= MUL);
        if let (Value::Constant(value), SHL..=SHR_U) = (second.value, operation) {
            self.load(first);
            self.spill();
            let row = hot(Opcode::Shl64Ai, operation - SHL);
            self.assembler.emit(row, &[value as u8 & 63]);
            return self.push_result(Type::I64);
        }
        let is_first_loaded = self.in_accumulator(first) && second.value != Value::Accumulator;
        let is_second_constant = matches!(second.value, Value::Constant(_));
        let prefers_first = is_first_loaded || second.value != Value::Accumulator;
        let has_form = operation <= SUB;
        if has_form && prefers_first && !is_second_constant {
            let slot = self.settle_and_load(second, first);
            self.spill();
            let slot = self.name(slot, 2, 0);
            self.assembler.emit(hot(Opcode::Add64Ar, operation), &[slot]);
        } else {
            let slot = self.settle_and_load_last(first, second);
            self.spill();
            let slot = self.name(slot, 2, 0);
            match operation {
                SUB..=SHR_U => {
                    self.assembler.emit_cold(cold(ColdOpcode::Sub64, operation - SUB), &[slot]);
                }
                _ => self.assembler.emit(hot(Opcode::Add64Ar, operation), &[slot]),
            }
        }
        self.push_result(Type::I64);
    }

    /// The first operand in a slot, the second in the accumulator.
    pub(super) fn settle_and_load_last(&mut self, first: Entry, second: Entry) -> u16 {
        let first = if second.value == Value::Accumulator { first } else { self.settled(first) };
        self.settle_and_load(first, second)
    }

    /// An operation of the second page: the first operand in a slot, the second in the accumulator.
    pub(super) fn cold_binary(&mut self, opcode: u8, ty: Type) {
        let (first, second) = self.pop_two(false);
        let slot = self.settle_and_load_last(first, second);
        self.spill();
        let slot = self.name(slot, ty.words(), 0);
        self.assembler.emit_cold(opcode, &[slot]);
        self.push_result(ty);
    }

    /// An operation of the second page on the accumulator.
    pub(super) fn cold_unary(&mut self, opcode: ColdOpcode, result: Type) {
        let entry = self.pop();
        self.load(entry);
        self.spill();
        self.assembler.emit_cold(opcode as u8, &[]);
        self.push_result(result);
    }

    pub(super) fn compare64(&mut self, index: u8) {
        let (first, second) = self.pop_two(false);
        let is_eq_zero = index == 0 && second.value == Value::Constant(0);
        if is_eq_zero {
            self.stack.push(first);
            return self.cold_unary(ColdOpcode::Eqz64, Type::I32);
        }
        let (first, second, index) = if first.value == Value::Accumulator
            && !matches!(second.value, Value::Accumulator | Value::Constant(_))
        {
            (second, first, swapped(index))
        } else {
            (first, second, index)
        };
        let slot = self.settle_and_load_last(first, second);
        self.spill();
        let slot = self.name(slot, 2, 0);
        self.assembler.emit_cold(cold(ColdOpcode::Eq64, index), &[slot]);
        self.push_result(Type::I32);
    }

    /// A 32-bit comparison that leaves 0 or 1.
    pub(super) fn compare32(&mut self, index: u8) {
        let (mut first, mut second) = self.pop_two(false);
        let mut index = index;
        if matches!(first.value, Value::Constant(_)) || first.value == Value::Accumulator {
            (first, second, index) = (second, first, swapped(index));
        }
        let slot = self.settle_and_load_last(first, second);
        self.spill();
        let slot = self.name(slot, 1, 0);
        self.assembler.emit(hot(Opcode::EqRa, index), &[slot]);
        self.push_result(Type::I32);
    }

    pub(super) fn extend(&mut self, opcode: Opcode) {
        let entry = self.pop();
        self.load(entry);
        self.spill();
        self.emit(opcode, &[]);
        self.push_result(Type::I64);
    }

    /// The low word of a 64-bit value is its first slot, and the accumulator's low word.
    pub(super) fn wrap(&mut self) {
        let entry = self.pop();
        let value = match entry.value {
            Value::Constant(value) => Value::Constant(value as u32 as u64),
            other => other,
        };
        self.push(value, Type::I32);
    }

    pub(super) fn select(&mut self) {
        let condition = self.pop();
        let (first, second) = self.pop_two(false);
        let has_large = Self::is_large(first) || Self::is_large(second);
        let condition = if has_large { self.settled(condition) } else { condition };
        let first = if Self::is_large(second) { self.settled(first) } else { first };
        let second = if Self::is_large(first) { self.settled(second) } else { second };
        let words = first.ty.words();
        let slots = [self.settle(first), self.settle(second)];
        self.load(condition);
        self.spill();
        let names = [self.name(slots[0], words, 0), self.name(slots[1], words, 2)];
        let opcode = if words == 1 { Opcode::Select } else { Opcode::Select64 };
        self.emit(opcode, &names);
        self.push_result(first.ty);
    }
}
