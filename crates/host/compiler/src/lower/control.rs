//! Blocks, loops, conditionals and calls.
use super::branch::Condition;
use super::{Control, Kind, Lowering, Value};
use crate::assembler::Label;
use crate::depth::{CallSite, Callee};
use crate::error::PrepareError;
use crate::limits::FRAME_SLOTS_MAX;
use crate::module::{Signature, Type};
use wasmbed_engine::Opcode;
use wasmparser::BlockType;

impl Lowering<'_, '_> {
    fn block_result(&self, block: BlockType) -> Result<Option<Type>, PrepareError> {
        match block {
            BlockType::Empty => Ok(None),
            BlockType::Type(ty) => Type::of(ty).map(Some),
            BlockType::FuncType(index) => {
                let signature = self.module.type_signature(index)?;
                if !signature.params.is_empty() {
                    let detail = "a block with parameters";
                    return Err(PrepareError::not_implemented("multi-value", detail));
                }
                Ok(signature.result)
            }
        }
    }

    fn open(&mut self, kind: Kind, result: Option<Type>) {
        let height = self.stack.len();
        self.control.push(Control { kind, height, result, end: Label::default() });
    }

    pub(super) fn begin_block(&mut self, block: BlockType) -> Result<(), PrepareError> {
        let result = self.block_result(block)?;
        self.flush();
        self.open(Kind::Block, result);
        Ok(())
    }

    pub(super) fn begin_loop(&mut self, block: BlockType) -> Result<(), PrepareError> {
        let result = self.block_result(block)?;
        self.flush();
        self.holds = None;
        let target = self.assembler.begin_loop();
        let cost = self.costs.loops.get(self.loops_seen).copied().unwrap_or(1);
        self.loops_seen += 1;
        self.open(Kind::Loop { target, cost }, result);
        Ok(())
    }

    pub(super) fn begin_if(
        &mut self,
        block: BlockType,
        condition: Condition,
    ) -> Result<(), PrepareError> {
        let result = self.block_result(block)?;
        self.flush();
        let mut otherwise = Label::default();
        self.branch_unless(condition, &mut otherwise);
        self.open(Kind::If { otherwise, holds: self.holds }, result);
        Ok(())
    }

    /// `else`, reached or not.
    pub(super) fn otherwise(&mut self) {
        let Some(mut control) = self.control.pop() else { return };
        if self.is_reachable {
            if control.result.is_some() {
                let result = self.pop();
                self.load(result);
            }
            self.assembler.emit_branch(Opcode::Branch as u8, &[], &mut control.end);
        }
        self.stack.truncate(control.height);
        if let Kind::If { otherwise, holds } = &control.kind {
            self.assembler.bind(otherwise);
            self.holds = *holds;
        }
        control.kind = Kind::Else;
        self.is_reachable = true;
        self.control.push(control);
    }

    /// `end`, reached or not.
    pub(super) fn end(&mut self) {
        let Some(control) = self.control.pop() else { return };
        let (otherwise, is_function) = match control.kind {
            Kind::If { otherwise, .. } => (Some(otherwise), false),
            Kind::Function => (None, true),
            _ => (None, false),
        };
        let meets = control.end.is_used() || otherwise.is_some();
        if self.is_reachable && control.result.is_some() && (meets || is_function) {
            let result = self.pop();
            self.load(result);
            self.stack.push(super::Entry { value: Value::Accumulator, ..result });
        }
        if meets {
            self.assembler.bind(&control.end);
            if let Some(otherwise) = &otherwise {
                self.assembler.bind(otherwise);
            }
            self.stack.truncate(control.height);
            self.holds = None;
            self.is_reachable = true;
            if let Some(ty) = control.result {
                self.push(Value::Accumulator, ty);
            }
        }
        if is_function && self.is_reachable {
            self.emit(Opcode::Return, &[]);
            self.stop();
        }
    }

    pub(super) fn call(&mut self, function: u32) -> Result<(), PrepareError> {
        let signature = self.module.signature(function)?.clone();
        let imports = self.module.imports.len() as u32;
        let base = self.flush_top(signature.params.len());
        let [base_low, base_high] = self.check_base(base)?.to_le_bytes();
        match function.checked_sub(imports) {
            None => {
                let [import_low, import_high] = (function as u16).to_le_bytes();
                self.emit(Opcode::CallHost, &[import_low, import_high, base_low, base_high]);
            }
            Some(defined) => {
                // The distance is known once all functions have their place.
                self.call_places.push((self.assembler.here() as u32, defined));
                if base_high == 0 {
                    self.emit(Opcode::Call, &[base_low, 0, 0, 0]);
                } else {
                    self.emit(Opcode::CallWide, &[base_low, base_high, 0, 0, 0]);
                }
                self.calls.push(CallSite { base, callee: Callee::Defined(defined) });
            }
        }
        self.after_call(&signature);
        Ok(())
    }

    pub(super) fn call_indirect(&mut self, type_index: u32) -> Result<(), PrepareError> {
        let signature = self.module.type_signature(type_index)?.clone();
        let type_number = self.module.type_number(&signature);
        let element = self.pop();
        let params = &self.stack[self.stack.len() - signature.params.len()..];
        let uses_accumulator = params.iter().any(|param| Self::is_large(*param));
        let element = if uses_accumulator { self.settled(element) } else { element };
        let base = self.flush_top(signature.params.len());
        self.load(element);
        let [base_low, base_high] = self.check_base(base)?.to_le_bytes();
        let [type_low, type_high] = (type_number as u16).to_le_bytes();
        self.emit(Opcode::CallIndirect, &[type_low, type_high, base_low, base_high]);
        self.calls.push(CallSite { base, callee: Callee::Indirect(type_number) });
        self.after_call(&signature);
        Ok(())
    }

    fn check_base(&mut self, base: u16) -> Result<u16, PrepareError> {
        self.slots = self.slots.max(base.into());
        if u32::from(base) > FRAME_SLOTS_MAX {
            let what = "slots of one frame";
            return Err(PrepareError::limit(what, base.into(), FRAME_SLOTS_MAX.into()));
        }
        Ok(base)
    }

    fn after_call(&mut self, signature: &Signature) {
        let height = self.stack.len() - signature.params.len();
        self.stack.truncate(height);
        self.holds = None;
        if let Some(result) = signature.result {
            self.push_result(result);
        }
    }
}
