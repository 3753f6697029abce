//! What each operator does; memory, globals and the table.
use super::arithmetic::{ADD, AND, MUL, OR, SHL, SHR_S, SHR_U, SUB, XOR};
use super::branch::{comparison32, comparison64};
use super::{Entry, Lowering, Value};
use crate::assembler::{cold, hot};
use crate::error::PrepareError;
use crate::feature::unsupported_operator;
use crate::module::Type;
use wasmbed_engine::{ColdOpcode, Opcode};
use wasmparser::{MemArg, MemArgTarget, Operator};

/// Loads and stores in the order of their rows.
const LOAD32: u8 = 0;
const LOAD8_S: u8 = 1;
const LOAD8_U: u8 = 2;
const LOAD16_S: u8 = 3;
const LOAD16_U: u8 = 4;
const STORE32: u8 = 0;
const STORE8: u8 = 1;
const STORE16: u8 = 2;

impl Lowering<'_, '_> {
    /// Lowers one operator that is not a fused condition.
    pub(super) fn operator(&mut self, operator: &Operator<'_>) -> Result<(), PrepareError> {
        if let Some(operation) = hot_operation(operator) {
            match operation {
                (operation, Type::I32) => self.binary32(operation),
                (operation, Type::I64) => self.binary64(operation),
            }
        } else if let Some(index) = comparison32(operator) {
            if matches!(operator, Operator::I32Eqz) {
                self.push(Value::Constant(0), Type::I32);
            }
            self.compare32(index);
        } else if let Some(index) = comparison64(operator) {
            if matches!(operator, Operator::I64Eqz) {
                self.push(Value::Constant(0), Type::I64);
            }
            self.compare64(index);
        } else if !self.cold_operator(operator)
            && !self.float_operator(operator)
            && !self.memory_operator(operator)?
            && !self.table_operator(operator)?
        {
            return self.other_operator(operator);
        }
        Ok(())
    }

    fn cold_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        let binary = match operator {
            I32DivS => (ColdOpcode::DivS, Type::I32),
            I32DivU => (ColdOpcode::DivU, Type::I32),
            I32RemS => (ColdOpcode::RemS, Type::I32),
            I32RemU => (ColdOpcode::RemU, Type::I32),
            I32Rotl => (ColdOpcode::Rotl, Type::I32),
            I32Rotr => (ColdOpcode::Rotr, Type::I32),
            I64DivS => (ColdOpcode::DivS64, Type::I64),
            I64DivU => (ColdOpcode::DivU64, Type::I64),
            I64RemS => (ColdOpcode::RemS64, Type::I64),
            I64RemU => (ColdOpcode::RemU64, Type::I64),
            I64Rotl => (ColdOpcode::Rotl64, Type::I64),
            I64Rotr => (ColdOpcode::Rotr64, Type::I64),
            I32Clz => return self.unary(ColdOpcode::Clz, Type::I32),
            I32Ctz => return self.unary(ColdOpcode::Ctz, Type::I32),
            I32Popcnt => return self.unary(ColdOpcode::Popcnt, Type::I32),
            I32Extend8S => return self.unary(ColdOpcode::Extend8S, Type::I32),
            I32Extend16S => return self.unary(ColdOpcode::Extend16S, Type::I32),
            I64Clz => return self.unary(ColdOpcode::Clz64, Type::I64),
            I64Ctz => return self.unary(ColdOpcode::Ctz64, Type::I64),
            I64Popcnt => return self.unary(ColdOpcode::Popcnt64, Type::I64),
            I64Extend8S => return self.unary(ColdOpcode::Extend8S64, Type::I64),
            I64Extend16S => return self.unary(ColdOpcode::Extend16S64, Type::I64),
            I64Extend32S => return self.unary(ColdOpcode::Extend32S64, Type::I64),
            MemoryGrow { .. } => return self.unary(ColdOpcode::MemoryGrow, Type::I32),
            _ => return false,
        };
        self.cold_binary(cold(binary.0, 0), binary.1);
        true
    }

    fn unary(&mut self, opcode: ColdOpcode, result: Type) -> bool {
        self.cold_unary(opcode, result);
        true
    }

    fn memory_operator(&mut self, operator: &Operator<'_>) -> Result<bool, PrepareError> {
        use Operator::*;
        match operator {
            I32Load { memarg } | F32Load { memarg } => self.load_memory(LOAD32, memarg, None)?,
            I32Load8S { memarg } => self.load_memory(LOAD8_S, memarg, None)?,
            I32Load8U { memarg } => self.load_memory(LOAD8_U, memarg, None)?,
            I32Load16S { memarg } => self.load_memory(LOAD16_S, memarg, None)?,
            I32Load16U { memarg } => self.load_memory(LOAD16_U, memarg, None)?,
            I64Load8S { memarg } => self.load_memory(LOAD8_S, memarg, Some(Opcode::ExtendS))?,
            I64Load8U { memarg } => self.load_memory(LOAD8_U, memarg, Some(Opcode::ExtendU))?,
            I64Load16S { memarg } => self.load_memory(LOAD16_S, memarg, Some(Opcode::ExtendS))?,
            I64Load16U { memarg } => self.load_memory(LOAD16_U, memarg, Some(Opcode::ExtendU))?,
            I64Load32S { memarg } => self.load_memory(LOAD32, memarg, Some(Opcode::ExtendS))?,
            I64Load32U { memarg } => self.load_memory(LOAD32, memarg, Some(Opcode::ExtendU))?,
            I64Load { memarg } | F64Load { memarg } => self.load_memory64(memarg)?,
            I32Store { memarg } | I64Store32 { memarg } | F32Store { memarg } => {
                self.store_memory(STORE32, memarg)?;
            }
            I32Store8 { memarg } | I64Store8 { memarg } => self.store_memory(STORE8, memarg)?,
            I32Store16 { memarg } | I64Store16 { memarg } => self.store_memory(STORE16, memarg)?,
            I64Store { memarg } | F64Store { memarg } => self.store_memory64(memarg)?,
            MemorySize { .. } => {
                self.spill();
                self.assembler.emit_cold(ColdOpcode::MemorySize as u8, &[]);
                self.push_result(Type::I32);
            }
            MemoryCopy { .. } => self.bulk(ColdOpcode::MemoryCopy, &[]),
            MemoryFill { .. } => self.bulk(ColdOpcode::MemoryFill, &[]),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn other_operator(&mut self, operator: &Operator<'_>) -> Result<(), PrepareError> {
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.emit(Opcode::Unreachable, &[]);
                self.stop();
            }
            Operator::Block { blockty } => self.begin_block(*blockty)?,
            Operator::Loop { blockty } => self.begin_loop(*blockty)?,
            Operator::If { blockty } => {
                let condition = self.pop_truth();
                self.begin_if(*blockty, condition)?;
            }
            Operator::Else => self.otherwise(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                let carried = self.pop_carried(*relative_depth);
                self.branch(*relative_depth, carried);
                self.stop();
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop_truth();
                self.branch_if(*relative_depth, condition);
            }
            Operator::BrTable { targets } => {
                let mut depths: Vec<u32> = targets.targets().collect::<Result<_, _>>()?;
                depths.push(targets.default());
                if depths.len() > usize::from(u16::MAX) {
                    let count = depths.len() as u64;
                    return Err(PrepareError::limit("targets of one table", count, 65535));
                }
                self.branch_table(&depths);
                self.stop();
            }
            Operator::Return => {
                let function = self.control.len() as u32 - 1;
                let carried = self.pop_carried(function);
                self.branch(function, carried);
                self.stop();
            }
            Operator::Call { function_index } => self.call(*function_index)?,
            Operator::CallIndirect { type_index, table_index } => {
                self.call_indirect(*type_index, *table_index)?;
            }
            Operator::Drop => {
                self.pop();
            }
            Operator::Select => self.select(),
            Operator::TypedSelect { ty } => {
                Type::of(*ty)?;
                self.select();
            }
            Operator::LocalGet { local_index } => self.local_get(*local_index),
            Operator::LocalSet { local_index } => self.local_set(*local_index),
            Operator::LocalTee { local_index } => self.local_tee(*local_index),
            Operator::GlobalGet { global_index } => self.global_get(*global_index),
            Operator::GlobalSet { global_index } => self.global_set(*global_index),
            Operator::I32Const { value } => {
                self.push(Value::Constant(*value as u32 as u64), Type::I32);
            }
            Operator::I64Const { value } => self.push(Value::Constant(*value as u64), Type::I64),
            Operator::I32WrapI64 => self.wrap(),
            Operator::I64ExtendI32S => self.extend(Opcode::ExtendS),
            Operator::I64ExtendI32U => self.extend(Opcode::ExtendU),
            other => return Err(unsupported_operator(other)),
        }
        Ok(())
    }

    fn global_get(&mut self, index: u32) {
        let global = self.module.globals[index as usize];
        if !global.is_mutable {
            return self.push(Value::Constant(global.value), global.ty);
        }
        self.spill();
        let opcodes = match global.ty {
            Type::I32 => (Opcode::GlobalGet, ColdOpcode::GlobalGetWide),
            Type::I64 => (Opcode::GlobalGet64, ColdOpcode::GlobalGetWide64),
        };
        self.global_access(opcodes, global.word);
        self.push_result(global.ty);
    }

    fn global_set(&mut self, index: u32) {
        let global = self.module.globals[index as usize];
        let entry = self.pop();
        self.load(entry);
        let opcodes = match global.ty {
            Type::I32 => (Opcode::GlobalSet, ColdOpcode::GlobalSetWide),
            Type::I64 => (Opcode::GlobalSet64, ColdOpcode::GlobalSetWide64),
        };
        self.global_access(opcodes, global.word);
    }

    fn global_access(&mut self, (opcode, wide): (Opcode, ColdOpcode), word: u16) {
        match u8::try_from(word) {
            Ok(word) => self.emit(opcode, &[word]),
            Err(_) => self.assembler.emit_cold(wide as u8, &word.to_le_bytes()),
        }
    }

    /// Address and offset of an access; a constant address takes the offset in, if that exists.
    fn address(&mut self, entry: Entry, access: &MemArg) -> Result<(Entry, u32), PrepareError> {
        if access.target != MemArgTarget::Memory(0) {
            let detail = "an access of another memory";
            return Err(PrepareError::not_implemented("multiple memories", detail));
        }
        let offset = access.offset as u32;
        if let Value::Constant(address) = entry.value
            && let Some(sum) = (address as u32).checked_add(offset)
        {
            return Ok((Entry { value: Value::Constant(sum.into()), ..entry }, 0));
        }
        Ok((entry, offset))
    }

    fn load_memory(
        &mut self,
        row: u8,
        access: &MemArg,
        extension: Option<Opcode>,
    ) -> Result<(), PrepareError> {
        let entry = self.pop();
        let (entry, offset) = self.address(entry, access)?;
        self.load(entry);
        self.spill();
        match u8::try_from(offset) {
            Ok(offset) => self.assembler.emit(hot(Opcode::Load32A, row), &[offset]),
            Err(_) => {
                self.assembler.emit(hot(Opcode::Load32Wide, row), &offset.to_le_bytes());
            }
        }
        match extension {
            Some(extension) => {
                self.emit(extension, &[]);
                self.push_result(Type::I64);
            }
            None => self.push_result(Type::I32),
        }
        Ok(())
    }

    fn load_memory64(&mut self, access: &MemArg) -> Result<(), PrepareError> {
        let entry = self.pop();
        let (entry, offset) = self.address(entry, access)?;
        self.load(entry);
        self.spill();
        match u8::try_from(offset) {
            Ok(offset) => self.emit(Opcode::Load64A, &[offset]),
            Err(_) => self.emit(Opcode::Load64Wide, &offset.to_le_bytes()),
        }
        self.push_result(Type::I64);
        Ok(())
    }

    fn store_memory(&mut self, row: u8, access: &MemArg) -> Result<(), PrepareError> {
        let forms = [hot(Opcode::Store32Ra, row), hot(Opcode::Store32Wide, row)];
        let value = self.pop();
        // Of a 64-bit value only low bits are stored, and the low word is its first slot.
        let value = match (value.value, value.ty) {
            (Value::Constant(constant), Type::I64) => Entry {
                value: Value::Constant(constant as u32 as u64),
                ty: Type::I32,
                home: value.home,
            },
            _ => Entry { ty: Type::I32, ..value },
        };
        self.store_in_form(forms, value, access)
    }

    fn store_memory64(&mut self, access: &MemArg) -> Result<(), PrepareError> {
        let forms = [Opcode::Store64Ra as u8, Opcode::Store64Wide as u8];
        let value = self.pop();
        self.store_in_form(forms, value, access)
    }

    /// Stores the value, in the accumulator, to an address in a slot, with a short or long offset.
    fn store_in_form(
        &mut self,
        [short, long]: [u8; 2],
        value: Entry,
        access: &MemArg,
    ) -> Result<(), PrepareError> {
        let address = self.pop();
        let (address, offset) = self.address(address, access)?;
        let slot = self.settle_address(address, value);
        let slot = self.name(slot, 1, 0);
        match u8::try_from(offset) {
            Ok(offset) => self.assembler.emit(short, &[slot, offset]),
            Err(_) => {
                self.assembler.emit(long, &[slot]);
                self.assembler.code.extend(offset.to_le_bytes());
            }
        }
        Ok(())
    }

    /// The address in a slot, the value in the accumulator.
    fn settle_address(&mut self, address: Entry, value: Entry) -> u16 {
        let address =
            if value.value == Value::Accumulator { address } else { self.settled(address) };
        self.settle_and_load(address, value)
    }
}

/// The index of an arithmetic operator among the rows of the first page, and its type.
fn hot_operation(operator: &Operator<'_>) -> Option<(u8, Type)> {
    use Operator::*;
    Some(match operator {
        I32Add => (ADD, Type::I32),
        I32And => (AND, Type::I32),
        I32Or => (OR, Type::I32),
        I32Xor => (XOR, Type::I32),
        I32Mul => (MUL, Type::I32),
        I32Sub => (SUB, Type::I32),
        I32Shl => (SHL, Type::I32),
        I32ShrS => (SHR_S, Type::I32),
        I32ShrU => (SHR_U, Type::I32),
        I64Add => (ADD, Type::I64),
        I64And => (AND, Type::I64),
        I64Or => (OR, Type::I64),
        I64Xor => (XOR, Type::I64),
        I64Mul => (MUL, Type::I64),
        I64Sub => (SUB, Type::I64),
        I64Shl => (SHL, Type::I64),
        I64ShrS => (SHR_S, Type::I64),
        I64ShrU => (SHR_U, Type::I64),
        _ => return None,
    })
}
