//! Verifies byte code before it runs: every operand is in bounds, every target an instruction.
//!
//! Leaves out termination and stack depth, which are watched while the code runs, and whether a
//! slot holds what the operation expects: any 32 bits are a value.
use crate::limits::{RECORD_WORDS, WINDOW_BYTES};
use crate::opcodes::{ColdOpcode, Opcode, Operand, Operands};
use wasmbed_image::Image;

/// What stands before the first instruction of a function.
///
/// # Layout
/// Little endian: `u16` words of stack that a call needs, which is its slots and
/// [`RECORD_WORDS`], then `u16` cost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FunctionHeader {
    /// Slots of the frame: parameters, locals, operands, and the arguments of calls.
    pub slots: u16,
    /// Fuel of one call.
    pub cost: u16,
}

impl FunctionHeader {
    /// Bytes of the encoded header.
    pub const BYTES: usize = 4;

    /// The header as it stands in the code.
    pub const fn encode(self) -> [u8; FunctionHeader::BYTES] {
        let [words_low, words_high] = self.slots.saturating_add(RECORD_WORDS).to_le_bytes();
        let [cost_low, cost_high] = self.cost.to_le_bytes();
        [words_low, words_high, cost_low, cost_high]
    }

    /// The header at `offset`, and the offset of the first instruction behind it.
    #[inline(always)]
    pub fn decode(code: &[u8], offset: usize) -> Option<(FunctionHeader, usize)> {
        let bytes: &[u8; FunctionHeader::BYTES] = code.get(offset..)?.first_chunk()?;
        let header = FunctionHeader {
            slots: u16::from_le_bytes([bytes[0], bytes[1]]).checked_sub(RECORD_WORDS)?,
            cost: u16::from_le_bytes([bytes[2], bytes[3]]),
        };
        Some((header, offset + FunctionHeader::BYTES))
    }
}

/// What is wrong with byte code, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodeFault {
    /// Offset of the instruction or function header in the code section.
    pub offset: u32,
    /// What is wrong there.
    pub kind: CodeFaultKind,
}

/// What is wrong with an instruction or a function header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum CodeFaultKind {
    /// Functions overlap, are out of order, or leave the section.
    Function,
    /// The header contradicts itself, or a call costs nothing.
    Header,
    /// No such opcode.
    Opcode,
    /// An instruction crosses the end of its function, or the last one falls through it.
    End,
    /// A slot outside the frame.
    Slot,
    /// A global, function, import or type that does not exist.
    Index,
    /// A branch that leaves its function, hits no instruction, goes the wrong way, or costs nothing.
    Target,
}

/// Verifies the code section of `image`, with `scratch` for one bit a byte of code.
///
/// # Errors
/// [`CodeFault`] names the first fault. A `scratch` that is too short is one.
pub(crate) fn verify(image: &Image<'_>, scratch: &mut [u8]) -> Result<(), CodeFault> {
    let code = image.code();
    let fault = |offset: usize, kind| CodeFault { offset: offset as u32, kind };
    let padding = WINDOW_BYTES - 1;
    let starts = scratch.get_mut(..code.len().div_ceil(8));
    let (Some(starts), Some(code_end)) = (starts, code.len().checked_sub(padding)) else {
        return Err(fault(0, CodeFaultKind::End));
    };
    let functions = image.header.functions;
    for index in 0..functions {
        let begin = image.function(index).map_or(0, |record| record.code_offset as usize);
        let next = image.function(index + 1).filter(|_| index + 1 < functions);
        let end = next.map_or(code_end, |record| record.code_offset as usize);
        if begin + FunctionHeader::BYTES >= end || end > code_end || index == 0 && begin != 0 {
            return Err(fault(begin, CodeFaultKind::Function));
        }
        let Some((header, body)) = FunctionHeader::decode(code, begin) else {
            return Err(fault(begin, CodeFaultKind::Header));
        };
        if header.cost == 0 {
            return Err(fault(begin, CodeFaultKind::Header));
        }
        let mut function = Function { image, starts, code, slots: header.slots, body, end };
        function.mark().and_then(|()| function.check())?;
    }
    Ok(())
}

/// One function under verification.
struct Function<'a> {
    image: &'a Image<'a>,
    /// One bit for each byte of the code section: an instruction starts here.
    starts: &'a mut [u8],
    code: &'a [u8],
    slots: u16,
    body: usize,
    end: usize,
}

impl Function<'_> {
    /// Marks where instructions start.
    fn mark(&mut self) -> Result<(), CodeFault> {
        let mut at = self.body;
        if let Some(bits) = self.starts.get_mut(at / 8..self.end.div_ceil(8)) {
            // The first byte may hold bits of the function before.
            let kept = bits.first().map_or(0, |bits| bits & ((1 << (at % 8)) - 1));
            bits.fill(0);
            if let Some(first) = bits.first_mut() {
                *first = kept;
            }
        }
        let mut last = 0;
        while at < self.end {
            if let Some(bits) = self.starts.get_mut(at / 8) {
                *bits |= 1 << (at % 8);
            }
            last = self.byte(at);
            at += self.length(at)?;
        }
        let falls_through = ![
            Opcode::Return as u8,
            Opcode::Unreachable as u8,
            Opcode::Branch as u8,
            Opcode::BranchTable as u8,
            Opcode::Loop as u8,
            Opcode::LoopWide as u8,
        ]
        .contains(&last);
        if at != self.end || falls_through {
            return Err(CodeFault { offset: at as u32, kind: CodeFaultKind::End });
        }
        Ok(())
    }

    /// Checks the operands of every instruction, now that all starts are marked.
    fn check(&self) -> Result<(), CodeFault> {
        let mut at = self.body;
        while at < self.end {
            let (operands, mut operand_at) = self.operands(at)?;
            for operand in operands {
                self.check_operand(operand, at, operand_at)
                    .map_err(|kind| CodeFault { offset: at as u32, kind })?;
                operand_at += operand.bytes();
            }
            if self.byte(at) == Opcode::BranchTable as u8 {
                for entry in 0..=usize::from(self.half(at + 1)) {
                    self.check_forward(at, at + 3 + entry * 2)
                        .map_err(|kind| CodeFault { offset: at as u32, kind })?;
                }
            }
            at += self.length(at)?;
        }
        Ok(())
    }

    fn operands(&self, at: usize) -> Result<(Operands, usize), CodeFault> {
        let operands = if self.byte(at) == Opcode::Cold as u8 {
            ColdOpcode::operands(self.byte(at + 1)).map(|operands| (operands, at + 2))
        } else {
            Opcode::operands(self.byte(at)).map(|operands| (operands, at + 1))
        };
        operands.ok_or(CodeFault { offset: at as u32, kind: CodeFaultKind::Opcode })
    }

    fn length(&self, at: usize) -> Result<usize, CodeFault> {
        if self.byte(at) == Opcode::BranchTable as u8 {
            return Ok(3 + 2 * (usize::from(self.half(at + 1)) + 1));
        }
        let (operands, first) = self.operands(at)?;
        Ok(operands.fold(first, |end, operand| end + operand.bytes()) - at)
    }

    fn check_operand(
        &self,
        operand: Operand,
        at: usize,
        operand_at: usize,
    ) -> Result<(), CodeFaultKind> {
        let slots = u32::from(self.slots);
        let words = u32::from(self.image.header.global_words);
        let tables = u32::from(self.image.header.tables);
        let byte = u32::from(self.byte(operand_at));
        let half = self.half(operand_at);
        let second = self.half(operand_at + 2);
        let slot = |is_sound: bool| if is_sound { Ok(()) } else { Err(CodeFaultKind::Slot) };
        let index = |is_sound: bool| if is_sound { Ok(()) } else { Err(CodeFaultKind::Index) };
        match operand {
            Operand::None | Operand::Byte | Operand::Word | Operand::Long => Ok(()),
            Operand::Slot => slot(byte < slots),
            Operand::Pair => slot(byte + 1 < slots),
            Operand::WideSlot => slot(half < self.slots),
            Operand::Global => index(byte < words),
            Operand::GlobalPair => index(byte + 1 < words),
            Operand::WideGlobal => index(u32::from(half) < words),
            Operand::WideGlobalPair => index(u32::from(half) + 1 < words),
            Operand::Bulk => {
                slot((0..3).all(|slot| u32::from(self.byte(operand_at + slot)) < slots))
            }
            Operand::Table => index(byte < tables),
            Operand::TablePair => index(byte < tables && u32::from(half >> 8) < tables),
            Operand::TableElements => {
                let segment = u16::from_le_bytes([(half >> 8) as u8, second as u8]);
                index(byte < tables && segment < self.image.header.element_segments)
            }
            Operand::DataSegment => index(half < self.image.header.data_segments),
            Operand::ElementSegment => index(half < self.image.header.element_segments),
            Operand::Forward => self.check_forward(at, operand_at),
            Operand::Backward => self.check_backward(at, half, second & 0xff),
            Operand::BackwardWide => self.check_backward(at, half, second),
            Operand::SlotRange => slot(byte + (half >> 8) as u32 <= slots && half >> 8 != 0),
            Operand::WideRange => slot(u32::from(half) + u32::from(second) <= slots && second != 0),
            Operand::Shift => index(byte < 32),
            Operand::Shift64 => index(byte < 64),
            Operand::Call => slot(byte <= slots).and(self.check_call(at, operand_at + 1)),
            Operand::CallWide => slot(half <= self.slots).and(self.check_call(at, operand_at + 2)),
            Operand::CallIndirect => slot(second <= self.slots),
            Operand::CallHost => {
                let import = self.image.import(half).filter(|_| half < self.image.header.imports);
                let need = import.and_then(wasmbed_abi::need_of);
                let need = need.ok_or(CodeFaultKind::Index)?;
                slot(u32::from(second) + need.argument_words() <= slots)
            }
        }
    }

    fn check_call(&self, at: usize, operand_at: usize) -> Result<(), CodeFaultKind> {
        let distance = i32::from_le_bytes([
            0,
            self.byte(operand_at),
            self.byte(operand_at + 1),
            self.byte(operand_at + 2),
        ]) >> 8;
        let target = (at as u32).wrapping_add_signed(distance);
        match self.image.function_at(target) {
            Some(_) => Ok(()),
            None => Err(CodeFaultKind::Index),
        }
    }

    fn check_forward(&self, at: usize, operand_at: usize) -> Result<(), CodeFaultKind> {
        let distance = usize::from(self.half(operand_at));
        let target = at + distance;
        let is_sound = distance != 0 && target < self.end && self.starts_at(target);
        if is_sound { Ok(()) } else { Err(CodeFaultKind::Target) }
    }

    fn check_backward(&self, at: usize, distance: u16, cost: u16) -> Result<(), CodeFaultKind> {
        let target = at.checked_sub(usize::from(distance));
        let is_sound = target.is_some_and(|at| at >= self.body && self.starts_at(at)) && cost != 0;
        if is_sound { Ok(()) } else { Err(CodeFaultKind::Target) }
    }

    fn starts_at(&self, at: usize) -> bool {
        self.starts.get(at / 8).is_some_and(|bits| bits & 1 << (at % 8) != 0)
    }

    fn byte(&self, at: usize) -> u8 {
        self.code.get(at).copied().unwrap_or(u8::MAX)
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.byte(at), self.byte(at + 1)])
    }
}

#[cfg(test)]
mod tests;
