//! References, tables that change, and the segments that code names.
use super::{Lowering, Value};
use crate::error::PrepareError;
use crate::feature::unsupported_operator;
use crate::module::{TablePlace, Type};
use wasmbed_engine::ColdOpcode;
use wasmparser::{HeapType, Operator};

impl Lowering<'_, '_> {
    /// Lowers an operator on references, tables or segments, if it is one.
    pub(super) fn table_operator(&mut self, operator: &Operator<'_>) -> Result<bool, PrepareError> {
        match *operator {
            Operator::RefNull { hty: HeapType::FUNC | HeapType::EXTERN } => {
                self.push(Value::Constant(0), Type::I32);
            }
            Operator::RefNull { .. } => return Err(unsupported_operator(operator)),
            Operator::RefFunc { function_index } => {
                let reference = self.module.known_reference(function_index);
                self.push(Value::Constant(reference.into()), Type::I32);
            }
            Operator::RefIsNull => {
                self.push(Value::Constant(0), Type::I32);
                self.compare32(0);
            }
            Operator::TableGet { table } => {
                let index = self.pop();
                self.load(index);
                self.spill();
                self.cold_with_table(ColdOpcode::TableGet, &[], table);
                self.push_result(Type::I32);
            }
            Operator::TableSet { table } => {
                let value = self.pop();
                let index = self.pop();
                let slot = self.settle_and_load_last(index, value);
                let slot = self.name(slot, 1, 0);
                self.cold_with_table(ColdOpcode::TableSet, &[slot], table);
            }
            Operator::TableSize { table } => {
                self.spill();
                self.cold_with_table(ColdOpcode::TableSize, &[], table);
                self.push_result(Type::I32);
            }
            Operator::TableGrow { table } => {
                // The third slot counts how many of the new elements have their value.
                self.push(Value::Constant(0), Type::I32);
                let table = self.table_number(table);
                self.bulk(ColdOpcode::TableGrow, &[table]);
                self.push_result(Type::I32);
            }
            Operator::TableFill { table } => {
                let table = self.table_number(table);
                self.bulk(ColdOpcode::TableFill, &[table]);
            }
            Operator::TableCopy { dst_table, src_table } => {
                let tables = [self.table_number(dst_table), self.table_number(src_table)];
                self.bulk(ColdOpcode::TableCopy, &tables);
            }
            Operator::TableInit { elem_index, table } => {
                let [low, high] = self.module.element_number(elem_index).to_le_bytes();
                let table = self.table_number(table);
                self.bulk(ColdOpcode::TableInit, &[table, low, high]);
            }
            Operator::ElemDrop { elem_index } => {
                let number = self.module.element_number(elem_index).to_le_bytes();
                self.assembler.emit_cold(ColdOpcode::ElementDrop as u8, &number);
            }
            Operator::MemoryInit { data_index, .. } => {
                let number = self.module.data_number(data_index).to_le_bytes();
                self.bulk(ColdOpcode::MemoryInit, &number);
            }
            Operator::DataDrop { data_index } => {
                let number = self.module.data_number(data_index).to_le_bytes();
                self.assembler.emit_cold(ColdOpcode::DataDrop as u8, &number);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes the index in the accumulator a reference to the function that is called.
    pub(super) fn table_function(&mut self, table: u32) {
        self.cold_with_table(ColdOpcode::TableFunction, &[], table);
    }

    fn cold_with_table(&mut self, opcode: ColdOpcode, operands: &[u8], table: u32) {
        let operands = [operands, &[self.table_number(table)]].concat();
        self.assembler.emit_cold(opcode as u8, &operands);
    }

    /// Number of a table in RAM; one that code touches is there.
    fn table_number(&self, table: u32) -> u8 {
        match self.module.references.places.get(table as usize) {
            Some(TablePlace::Changing(number)) => *number,
            _ => 0,
        }
    }

    /// A long operation: its three operands in slots, where it keeps what is left of it.
    pub(super) fn bulk(&mut self, opcode: ColdOpcode, behind: &[u8]) {
        let first = self.flush_top(3);
        let mut operands = Vec::new();
        for index in 0..3 {
            operands.push(self.name(first + index, 1, index));
        }
        operands.extend(behind);
        self.assembler.emit_cold(opcode as u8, &operands);
        for _ in 0..3 {
            self.pop();
        }
        self.holds = None;
    }
}
