//! Operations of the second page that deal with memory, tables and globals as a whole.
//!
//! The long ones do one piece at a time. Their three slots are operands that nothing else reads, so
//! they keep what is left to do; the instruction is executed again until that is nothing.
use super::table::{Table, is_dropped, set_dropped};
use super::{Arena, Instance};
use crate::limits::{BULK_BYTES_MAX, BULK_ELEMENTS_MAX};
use crate::memory::{move_within, set_word, word};
use crate::opcodes::{ColdOpcode, cold_byte};
use crate::outcome::{Outcome, Trap};
use crate::stop::Stop;
use wasmbed_image::Image;

/// What a long operation works on.
enum Work<'a> {
    CopyMemory,
    FillMemory,
    InitMemory(&'a [u8]),
    CopyTable(Table, Table),
    FillTable(Table),
    InitTable(Table, &'a [u8]),
}

impl Work<'_> {
    /// Where target and source end, and whether they are one.
    fn ends(&self, memory_bytes: u32) -> (u32, Option<u32>, bool) {
        match *self {
            Work::CopyMemory => (memory_bytes, Some(memory_bytes), true),
            Work::FillMemory => (memory_bytes, None, false),
            Work::InitMemory(bytes) => (memory_bytes, Some(bytes.len() as u32), false),
            Work::CopyTable(target, source) => (target.elements, Some(source.elements), true),
            Work::FillTable(target) => (target.elements, None, false),
            Work::InitTable(target, items) => {
                (target.elements, Some(items.len() as u32 / 2), false)
            }
        }
    }

    fn is_on_memory(&self) -> bool {
        matches!(self, Work::CopyMemory | Work::FillMemory | Work::InitMemory(_))
    }

    /// Does a piece that was found to be in bounds.
    fn act(&self, parts: &mut Arena<'_>, target: u32, source: u32, length: u32) {
        let begin = target as usize;
        let range = source as usize..(source as usize).saturating_add(length as usize);
        match *self {
            Work::CopyMemory => {
                move_within(parts.memory, source as usize, begin, length as usize);
            }
            Work::FillMemory => {
                if let Some(bytes) = parts.memory.get_mut(begin..begin + length as usize) {
                    bytes.fill(source as u8);
                }
            }
            Work::InitMemory(bytes) => {
                let target = parts.memory.get_mut(begin..begin + length as usize);
                if let (Some(target), Some(bytes)) = (target, bytes.get(range)) {
                    target.copy_from_slice(bytes);
                }
            }
            Work::CopyTable(to, from) => to.copy(parts.state, target, from, source, length),
            Work::FillTable(table) => table.fill(parts.state, target, length, source),
            Work::InitTable(table, items) => {
                let items = items.get(range.start * 2..range.end * 2).unwrap_or_default();
                table.write(parts.state, target, items);
            }
        }
    }
}

impl Instance {
    /// Executes the second-page operation at hand, or a piece of it.
    ///
    /// Neither this nor what it calls is inlined: so the stack holds what one operation needs, not
    /// what the largest does.
    #[inline(never)]
    pub(super) fn whole_operation(
        &mut self,
        image: &Image<'_>,
        parts: &mut Arena<'_>,
        opcode: u8,
        stop: &mut impl Stop,
    ) -> Option<Outcome> {
        let result = match opcode {
            cold_byte::MemorySize
            | cold_byte::MemoryGrow
            | cold_byte::GlobalGetWide
            | cold_byte::GlobalSetWide
            | cold_byte::GlobalGetWide64
            | cold_byte::GlobalSetWide64
            | cold_byte::DataDrop
            | cold_byte::ElementDrop => {
                self.short_operation(image, parts, opcode);
                None
            }
            cold_byte::TableGet
            | cold_byte::TableFunction
            | cold_byte::TableSet
            | cold_byte::TableSize => {
                self.table_operation(image, parts, opcode).map(|trap| self.trapped(image, trap))
            }
            cold_byte::TableGrow => return self.grow_table(image, parts, stop),
            _ => return self.long_operation(image, parts, opcode, stop),
        };
        self.pass(opcode);
        result
    }

    fn short_operation(&mut self, image: &Image<'_>, parts: &mut Arena<'_>, opcode: u8) {
        let number = self.half(image, 2);
        let at = usize::from(number) * 4;
        let data_segments = image.header.data_segments;
        match opcode {
            cold_byte::MemorySize => {
                self.registers.low = self.memory_bytes / image.header.page_bytes();
            }
            cold_byte::MemoryGrow => self.grow_memory(image),
            cold_byte::GlobalGetWide => self.registers.low = word(parts.globals, at),
            cold_byte::GlobalSetWide => set_word(parts.globals, at, self.registers.low),
            cold_byte::GlobalGetWide64 => {
                self.registers.low = word(parts.globals, at);
                self.registers.high = word(parts.globals, at + 4);
            }
            cold_byte::GlobalSetWide64 => {
                set_word(parts.globals, at, self.registers.low);
                set_word(parts.globals, at + 4, self.registers.high);
            }
            cold_byte::DataDrop => set_dropped(parts.state, number.into()),
            _ => set_dropped(parts.state, u32::from(data_segments) + u32::from(number)),
        }
    }

    fn grow_memory(&mut self, image: &Image<'_>) {
        let page_bytes = image.header.page_bytes();
        let before = self.memory_bytes / page_bytes;
        let grown = self.registers.low.checked_mul(page_bytes);
        let grown = grown.and_then(|grown| grown.checked_add(self.memory_bytes));
        let is_possible = grown.filter(|grown| *grown <= image.header.memory_bytes_max);
        // What lies behind the memory was cleared at load and never written since.
        self.memory_bytes = is_possible.unwrap_or(self.memory_bytes);
        self.registers.low = is_possible.map_or(u32::MAX, |_| before);
    }

    /// One element of a table, or their number.
    #[inline(never)]
    fn table_operation(
        &mut self,
        image: &Image<'_>,
        parts: &mut Arena<'_>,
        opcode: u8,
    ) -> Option<Trap> {
        let index = self.registers.low;
        if opcode == cold_byte::TableSet {
            let index = word(parts.stack, self.slot_at(image, 2));
            let Some(table) = Table::find(image, parts.state, self.byte(image, 3)) else {
                return Some(Trap::BadCode);
            };
            if index >= table.elements {
                return Some(Trap::TableOutOfBounds);
            }
            table.fill(parts.state, index, 1, self.registers.low);
            return None;
        }
        let Some(table) = Table::find(image, parts.state, self.byte(image, 2)) else {
            return Some(Trap::BadCode);
        };
        if opcode == cold_byte::TableSize {
            self.registers.low = table.elements;
            return None;
        }
        match table.element(parts.state, index) {
            None => return Some(Trap::TableOutOfBounds),
            Some(0) if opcode == cold_byte::TableFunction => {
                return Some(Trap::UninitializedElement);
            }
            Some(reference) => self.registers.low = reference,
        }
        None
    }

    /// One piece of `table.grow`: the slots are the value, the number of new elements, and how many
    /// of them have it. The table is longer only when all have.
    #[inline(never)]
    fn grow_table(
        &mut self,
        image: &Image<'_>,
        parts: &mut Arena<'_>,
        stop: &mut impl Stop,
    ) -> Option<Outcome> {
        let [value_at, grown_at, done_at] = [2, 3, 4].map(|at| self.slot_at(image, at));
        let (value, grown) = (word(parts.stack, value_at), word(parts.stack, grown_at));
        let done = word(parts.stack, done_at);
        let table = Table::find(image, parts.state, self.byte(image, 5));
        let (Some(table), Some(left)) = (table, grown.checked_sub(done)) else {
            return Some(self.trapped(image, Trap::BadCode));
        };
        let after = table.elements.checked_add(grown);
        let Some(after) = after.filter(|after| *after <= table.elements_max) else {
            self.registers.low = u32::MAX;
            self.pass(cold_byte::TableGrow);
            return None;
        };
        if left == 0 {
            table.resize(parts.state, after);
            self.registers.low = table.elements;
            self.pass(cold_byte::TableGrow);
            return None;
        }
        let piece = left.min(BULK_ELEMENTS_MAX).min(self.registers.fuel);
        if piece == 0 {
            return self.refill(image);
        }
        self.registers.fuel -= piece;
        table.fill(parts.state, table.elements + done, piece, value);
        set_word(parts.stack, done_at, done + piece);
        stop.is_over().then_some(Outcome::SliceEnd)
    }

    /// What the long operation at hand works on.
    #[inline(never)]
    fn work<'a>(&self, image: &Image<'a>, state: &[u8], opcode: u8) -> Option<Work<'a>> {
        let table = |at: usize| Table::find(image, state, self.byte(image, at));
        Some(match opcode {
            cold_byte::MemoryCopy => Work::CopyMemory,
            cold_byte::MemoryFill => Work::FillMemory,
            cold_byte::MemoryInit => {
                let segment = self.half(image, 5);
                let bytes = image.data_segment(segment)?;
                Work::InitMemory(if is_dropped(state, segment.into()) { &[] } else { bytes })
            }
            cold_byte::TableCopy => Work::CopyTable(table(5)?, table(6)?),
            cold_byte::TableFill => Work::FillTable(table(5)?),
            cold_byte::TableInit => {
                let segment = self.half(image, 6);
                let items = image.element_segment(segment)?;
                let number = u32::from(image.header.data_segments) + u32::from(segment);
                Work::InitTable(table(5)?, if is_dropped(state, number) { &[] } else { items })
            }
            _ => return None,
        })
    }

    /// One piece of a copy or fill.
    #[inline(never)]
    fn long_operation(
        &mut self,
        image: &Image<'_>,
        parts: &mut Arena<'_>,
        opcode: u8,
        stop: &mut impl Stop,
    ) -> Option<Outcome> {
        let Some(work) = self.work(image, parts.state, opcode) else {
            return Some(self.trapped(image, Trap::BadCode));
        };
        let slots = [2, 3, 4].map(|at| self.slot_at(image, at));
        let [target, source, length] = slots.map(|at| word(parts.stack, at));
        let (target_end, source_end, is_same) = work.ends(self.memory_bytes);
        let is_outside =
            |begin: u32, end: u32| u64::from(begin) + u64::from(length) > u64::from(end);
        if is_outside(target, target_end) || source_end.is_some_and(|end| is_outside(source, end)) {
            let is_memory = work.is_on_memory();
            let trap = if is_memory { Trap::MemoryOutOfBounds } else { Trap::TableOutOfBounds };
            return Some(self.trapped(image, trap));
        }
        if length == 0 {
            self.pass(opcode);
            return None;
        }
        let piece_max = if work.is_on_memory() { BULK_BYTES_MAX } else { BULK_ELEMENTS_MAX };
        let piece = length.min(piece_max).min(self.registers.fuel);
        if piece == 0 {
            return self.refill(image);
        }
        self.registers.fuel -= piece;
        // Where the ranges may overlap with the target behind the source, the last piece goes first.
        let is_backward = is_same && target > source;
        let skipped = if is_backward { length - piece } else { 0 };
        let moves_source = source_end.is_some();
        let from = if moves_source { source + skipped } else { source };
        work.act(parts, target + skipped, from, piece);
        let moved = if is_backward { 0 } else { piece };
        let rest =
            [target + moved, if moves_source { source + moved } else { source }, length - piece];
        for (at, value) in slots.into_iter().zip(rest) {
            set_word(parts.stack, at, value);
        }
        stop.is_over().then_some(Outcome::SliceEnd)
    }

    /// Goes on behind the instruction at hand.
    fn pass(&mut self, opcode: u8) {
        let operands = ColdOpcode::operands(opcode).into_iter().flatten();
        self.registers.code += operands.fold(2, |bytes, operand| bytes + operand.bytes());
    }

    /// The slot that the byte at `at` of the instruction names, as an offset in the stack.
    fn slot_at(&self, image: &Image<'_>, at: usize) -> usize {
        self.registers.frame + usize::from(self.byte(image, at)) * 4
    }

    fn byte(&self, image: &Image<'_>, at: usize) -> u8 {
        image.code().get(self.registers.code + at).copied().unwrap_or(0)
    }

    fn half(&self, image: &Image<'_>, at: usize) -> u16 {
        u16::from_le_bytes([self.byte(image, at), self.byte(image, at + 1)])
    }

    fn trapped(&self, image: &Image<'_>, trap: Trap) -> Outcome {
        Outcome::Trapped(trap, self.place(image))
    }
}
