//! Writes instructions of one function, and resolves forward branches.
use crate::error::PrepareError;
use wasmbed_engine::{ColdOpcode, Opcode};

/// A place in the code that forward branches lead to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label {
    /// Start of the branching instruction, and where its distance stands.
    uses: Vec<(usize, usize)>,
}

impl Label {
    /// Whether a branch leads here.
    pub(crate) fn is_used(&self) -> bool {
        !self.uses.is_empty()
    }
}

/// The code of one function under construction.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    pub(crate) code: Vec<u8>,
    /// A distance did not fit.
    is_too_far: bool,
}

impl Assembler {
    /// Offset of the next instruction.
    pub(crate) fn here(&self) -> usize {
        self.code.len()
    }

    /// Writes an instruction of the first page.
    pub(crate) fn emit(&mut self, opcode: u8, operands: &[u8]) {
        self.code.push(opcode);
        self.code.extend(operands);
    }

    /// Writes an instruction of the second page.
    pub(crate) fn emit_cold(&mut self, opcode: u8, operands: &[u8]) {
        self.emit(Opcode::Cold as u8, &[opcode]);
        self.code.extend(operands);
    }

    /// Writes a forward branch, whose distance is its last operand.
    pub(crate) fn emit_branch(&mut self, opcode: u8, operands: &[u8], label: &mut Label) {
        let start = self.here();
        self.emit(opcode, operands);
        label.uses.push((start, self.here()));
        self.code.extend([0; 2]);
    }

    /// Writes the head of a branch table with room for its distances.
    pub(crate) fn emit_table(&mut self, labels: &mut [Label], targets: &[usize]) {
        let start = self.here();
        self.emit(Opcode::BranchTable as u8, &((targets.len() - 1) as u16).to_le_bytes());
        for target in targets {
            labels[*target].uses.push((start, self.here()));
            self.code.extend([0; 2]);
        }
    }

    /// Writes a back-edge to `target`, with the operands before the distance.
    pub(crate) fn emit_loop(&mut self, opcode: u8, operands: &[u8], target: usize, cost: u32) {
        let distance = self.distance(target, self.here());
        self.emit(opcode, operands);
        self.code.extend(distance);
        if opcode == Opcode::LoopWide as u8 {
            self.code.extend((cost as u16).to_le_bytes());
        } else {
            self.code.push(cost as u8);
        }
    }

    /// Makes all branches to `label` lead here.
    pub(crate) fn bind(&mut self, label: &Label) {
        let here = self.here();
        for (start, at) in &label.uses {
            let distance = self.distance(*start, here);
            self.code[*at..*at + 2].copy_from_slice(&distance);
        }
    }

    /// Begins a stretch that branches lead to from behind.
    pub(crate) fn begin_loop(&mut self) -> usize {
        self.here()
    }

    /// The finished code.
    pub(crate) fn finish(self, function: u32) -> Result<Vec<u8>, PrepareError> {
        if self.is_too_far {
            let detail = format!("function {function} has branches over more than 65535 bytes");
            return Err(PrepareError::not_implemented("a function this long", detail));
        }
        Ok(self.code)
    }

    fn distance(&mut self, from: usize, to: usize) -> [u8; 2] {
        let distance = u16::try_from(to - from);
        self.is_too_far |= distance.is_err();
        distance.unwrap_or(0).to_le_bytes()
    }
}

/// The second-page opcode `index` rows behind `first`.
pub(crate) fn cold(first: ColdOpcode, index: u8) -> u8 {
    first as u8 + index
}

/// The first-page opcode `index` rows behind `first`.
pub(crate) fn hot(first: Opcode, index: u8) -> u8 {
    first as u8 + index
}
