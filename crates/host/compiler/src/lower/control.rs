//! Blocks, loops, conditionals and calls.
use super::branch::Condition;
use super::{Control, Kind, Lowering, Value};
use crate::assembler::Label;
use crate::depth::{CallSite, Callee};
use crate::error::PrepareError;
use crate::limits::FRAME_SLOTS_MAX;
use crate::module::{Signature, TablePlace, Type};
use wasmbed_engine::Opcode;
use wasmparser::BlockType;

impl Lowering<'_, '_> {
    fn open(&mut self, kind: Kind, block: BlockType) -> Result<(), PrepareError> {
        let (params, results) = self.block_types(block)?;
        let height = self.stack.len() - params.len();
        self.control.push(Control { kind, height, params, results, end: Label::default() });
        Ok(())
    }

    fn block_types(&self, block: BlockType) -> Result<(Vec<Type>, Vec<Type>), PrepareError> {
        Ok(match block {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(ty) => (Vec::new(), vec![Type::of(ty)?]),
            BlockType::FuncType(index) => {
                let signature = self.module.type_signature(index)?;
                (signature.params.clone(), signature.results.clone())
            }
        })
    }

    pub(super) fn begin_block(&mut self, block: BlockType) -> Result<(), PrepareError> {
        self.flush();
        self.open(Kind::Block, block)
    }

    pub(super) fn begin_loop(&mut self, block: BlockType) -> Result<(), PrepareError> {
        let (params, _) = self.block_types(block)?;
        self.flush_top(params.len());
        self.flush();
        self.holds = None;
        let target = self.assembler.begin_loop();
        let cost = self.costs.loops.get(self.loops_seen).copied().unwrap_or(1);
        self.loops_seen += 1;
        self.open(Kind::Loop { target, cost }, block)
    }

    pub(super) fn begin_if(
        &mut self,
        block: BlockType,
        condition: Condition,
    ) -> Result<(), PrepareError> {
        let (params, _) = self.block_types(block)?;
        self.flush();
        let mut otherwise = Label::default();
        self.branch_unless(condition, &mut otherwise);
        let entries = self.stack[self.stack.len() - params.len()..].to_vec();
        self.open(Kind::If { otherwise, entries, holds: self.holds }, block)
    }

    /// `else`, reached or not.
    pub(super) fn otherwise(&mut self) {
        let Some(mut control) = self.control.pop() else { return };
        if self.is_reachable {
            self.land(&control);
            self.assembler.emit_branch(Opcode::Branch as u8, &[], &mut control.end);
        }
        self.stack.truncate(control.height);
        if let Kind::If { otherwise, entries, holds } = &control.kind {
            self.assembler.bind(otherwise);
            self.stack.extend(entries);
            self.holds = *holds;
        }
        control.kind = Kind::Else;
        self.is_reachable = true;
        self.control.push(control);
    }

    /// `end`, reached or not.
    pub(super) fn end(&mut self) {
        // Without an else, parameters become results: that takes moves of its own.
        let innermost = self.control.last();
        if innermost.is_some_and(|control| {
            matches!(control.kind, Kind::If { .. }) && !control.params.is_empty()
        }) {
            self.otherwise();
        }
        let Some(control) = self.control.pop() else { return };
        let is_function = matches!(control.kind, Kind::Function);
        let otherwise = match &control.kind {
            Kind::If { otherwise, .. } => Some(otherwise),
            _ => None,
        };
        let meets = control.end.is_used() || otherwise.is_some();
        if self.is_reachable && (meets || is_function) {
            self.land(&control);
        }
        if meets {
            self.assembler.bind(&control.end);
            if let Some(otherwise) = otherwise {
                self.assembler.bind(otherwise);
            }
            self.stack.truncate(control.height);
            self.holds = None;
            self.is_reachable = true;
            self.push_results(&control.results);
        }
        if is_function && self.is_reachable {
            self.emit(Opcode::Return, &[]);
            self.stop();
        }
    }

    /// What control brings where it meets: the only result in the accumulator, or all in slots.
    fn push_results(&mut self, results: &[Type]) {
        if let [result] = results {
            return self.push(Value::Accumulator, *result);
        }
        for result in results {
            let home = self.next_home();
            self.claim(home, result.words());
            self.push(Value::Slot(home), *result);
        }
    }

    /// Brings the results of a construct that ends here to where they are expected behind it.
    fn land(&mut self, control: &Control) {
        if let [_] = control.results.as_slice() {
            let result = self.pop();
            self.load(result);
            self.stack.push(super::Entry { value: Value::Accumulator, ..result });
        } else {
            self.carry(control.results.len(), self.landing(control), control.is_function());
        }
    }

    /// First slot of what a branch to this construct carries.
    fn landing(&self, control: &Control) -> u16 {
        let below = control.height.checked_sub(1).and_then(|index| self.stack.get(index));
        match below {
            _ if control.is_function() => 0,
            Some(entry) => entry.home + entry.ty.words(),
            None => self.operands,
        }
    }

    /// Copies the topmost entries to slots from `target` on, which is at or below their homes.
    fn carry(&mut self, count: usize, mut target: u16, is_function: bool) {
        if count == 0 {
            return;
        }
        if is_function {
            // Those slots may be locals that others of the entries stand for.
            self.flush_top(count);
        }
        self.spill();
        for index in self.stack.len() - count..self.stack.len() {
            let entry = self.stack[index];
            self.assign(target, entry);
            target += entry.ty.words();
        }
    }

    /// Types of what a branch to the construct at `at` carries.
    pub(super) fn carried(&self, at: usize) -> &[Type] {
        match self.control[at].kind {
            Kind::Loop { .. } => &self.control[at].params,
            _ => &self.control[at].results,
        }
    }

    /// Whether a branch to the construct at `at` carries one value, in the accumulator.
    pub(super) fn carries_accumulator(&self, at: usize) -> bool {
        let is_loop = matches!(self.control[at].kind, Kind::Loop { .. });
        !is_loop && self.control[at].results.len() == 1
    }

    /// Whether what a branch to the construct at `at` carries is already where it is expected.
    pub(super) fn is_landed(&self, at: usize) -> bool {
        let count = self.carried(at).len();
        let mut target = self.landing(&self.control[at]);
        let is_there = |entry: &super::Entry| {
            let slot = target;
            target += entry.ty.words();
            entry.value == Value::Slot(slot)
        };
        !self.carries_accumulator(at) && self.stack[self.stack.len() - count..].iter().all(is_there)
    }

    /// Brings what a branch to the construct at `at` carries in slots to where it is expected. The
    /// entries stay what they were: only the branch has seen it.
    pub(super) fn carry_to(&mut self, at: usize) {
        let control = &self.control[at];
        let (landing, is_function) = (self.landing(control), control.is_function());
        if !self.carries_accumulator(at) && !self.is_landed(at) {
            self.carry(self.carried(at).len(), landing, is_function);
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

    pub(super) fn call_indirect(
        &mut self,
        type_index: u32,
        table: u32,
    ) -> Result<(), PrepareError> {
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
        let operands = [type_low, type_high, base_low, base_high];
        let is_fixed =
            matches!(self.module.references.places.get(table as usize), Some(TablePlace::Fixed));
        let callee = if is_fixed {
            self.emit(Opcode::CallIndirect, &operands);
            Callee::Indirect(type_number)
        } else {
            self.table_function(table);
            self.emit(Opcode::CallReference, &operands);
            Callee::Reference(type_number)
        };
        self.calls.push(CallSite { base, callee });
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
        self.push_results(&signature.results);
    }
}
