//! Entries of the operand stack: where their values are, and how they move.
use super::{Entry, Lowering, Value};
use crate::module::Type;
use wasmbed_engine::Opcode;

/// A constant that fits the 8-bit form of an instruction.
pub(super) fn small(value: u64, ty: Type) -> Option<u8> {
    let value = match ty {
        Type::I32 => i64::from(value as i32),
        Type::I64 => value as i64,
    };
    i8::try_from(value).ok().map(|value| value as u8)
}

impl Lowering<'_, '_> {
    /// Home of the next entry.
    pub(super) fn next_home(&self) -> u16 {
        self.stack.last().map_or(self.operands, |top| top.home + top.ty.words())
    }

    pub(super) fn push(&mut self, value: Value, ty: Type) {
        let home = self.next_home();
        self.stack.push(Entry { value, ty, home });
    }

    /// The frame has these slots; homes that no instruction names cost nothing.
    pub(super) fn claim(&mut self, slot: u16, words: u16) {
        self.slots = self.slots.max(u32::from(slot) + u32::from(words));
    }

    /// Pushes what an instruction just left in the accumulator.
    pub(super) fn push_result(&mut self, ty: Type) {
        self.holds = None;
        self.push(Value::Accumulator, ty);
    }

    pub(super) fn pop(&mut self) -> Entry {
        let nothing = Entry { value: Value::Constant(0), ty: Type::I32, home: self.operands };
        // Validation has matched pushes and pops.
        self.stack.pop().unwrap_or(nothing)
    }

    /// Whether the accumulator holds the entry's value.
    pub(super) fn in_accumulator(&self, entry: Entry) -> bool {
        match entry.value {
            Value::Accumulator => true,
            Value::Slot(slot) => {
                self.holds.is_some_and(|(held, words)| held == slot && entry.ty.words() <= words)
            }
            Value::Constant(_) => false,
        }
    }

    /// Names slots in an instruction, through scratch slots where they are out of reach.
    pub(super) fn name(&mut self, slot: u16, words: u16, scratch: u16) -> u8 {
        self.claim(slot, words);
        if slot + words <= 256 {
            return slot as u8;
        }
        let Some(first) = self.scratch else {
            self.needs_wide = true;
            return 0;
        };
        self.copy_wide(first + scratch, slot, words);
        (first + scratch) as u8
    }

    fn copy_wide(&mut self, target: u16, source: u16, words: u16) {
        self.claim(target, words);
        self.claim(source, words);
        for word in 0..words {
            let [target_low, target_high] = (target + word).to_le_bytes();
            let [source_low, source_high] = (source + word).to_le_bytes();
            self.emit(Opcode::CopyWide, &[target_low, target_high, source_low, source_high]);
        }
        self.forget(target, words);
    }

    /// The slots have another value now than the accumulator.
    pub(super) fn forget(&mut self, slot: u16, words: u16) {
        let overlaps = |(held, held_words)| held < slot + words && slot < held + held_words;
        if self.holds.is_some_and(overlaps) {
            self.holds = None;
        }
    }

    /// Copies from slots to slots.
    pub(super) fn copy(&mut self, target: u16, source: u16, words: u16) {
        if target == source {
            return;
        }
        self.claim(target, words);
        self.claim(source, words);
        if target + words <= 256 && source + words <= 256 {
            let opcode = if words == 1 { Opcode::Copy } else { Opcode::Copy64 };
            self.emit(opcode, &[target as u8, source as u8]);
            self.forget(target, words);
        } else {
            self.needs_wide |= self.scratch.is_none();
            self.copy_wide(target, source, words);
        }
    }

    /// Stores the accumulator in slots.
    pub(super) fn store(&mut self, slot: u16, words: u16) {
        self.claim(slot, words);
        if slot + words <= 256 {
            let opcode = if words == 1 { Opcode::Set } else { Opcode::Set64 };
            self.emit(opcode, &[slot as u8]);
        } else {
            let Some(scratch) = self.scratch else {
                self.needs_wide = true;
                return;
            };
            let opcode = if words == 1 { Opcode::Set } else { Opcode::Set64 };
            self.emit(opcode, &[scratch as u8]);
            self.copy_wide(slot, scratch, words);
        }
        self.holds = Some((slot, words));
    }

    /// Stores a small constant in slots, without the accumulator.
    fn store_small(&mut self, slot: u16, words: u16, value: u8) {
        self.claim(slot, words);
        let sign = if value >= 0x80 { 0xff } else { 0 };
        for (word, byte) in (0..words).zip([value, sign]) {
            if slot + word < 256 {
                self.emit(Opcode::SetConst8, &[(slot + word) as u8, byte]);
                self.forget(slot + word, 1);
            } else if let Some(scratch) = self.scratch {
                self.emit(Opcode::SetConst8, &[scratch as u8, byte]);
                self.copy_wide(slot + word, scratch, 1);
            } else {
                self.needs_wide = true;
            }
        }
    }

    /// Moves the entry that is in the accumulator to its home, so that the accumulator is free.
    pub(super) fn spill(&mut self) {
        let index = self.stack.iter().rposition(|entry| entry.value == Value::Accumulator);
        if let Some(index) = index {
            let entry = self.stack[index];
            self.store(entry.home, entry.ty.words());
            self.stack[index].value = Value::Slot(entry.home);
        }
    }

    /// Brings a popped entry to the accumulator.
    pub(super) fn load(&mut self, entry: Entry) {
        if self.in_accumulator(entry) {
            return;
        }
        self.spill();
        match entry.value {
            Value::Constant(value) => {
                match (small(value, entry.ty), entry.ty) {
                    (Some(byte), Type::I32) => self.emit(Opcode::Const8, &[byte]),
                    (None, Type::I32) => {
                        self.emit(Opcode::Const32, &(value as u32).to_le_bytes());
                    }
                    (Some(byte), Type::I64) => {
                        self.emit(Opcode::Const8, &[byte]);
                        self.emit(Opcode::ExtendS, &[]);
                    }
                    (None, Type::I64) => self.emit(Opcode::Const64, &value.to_le_bytes()),
                }
                self.holds = None;
            }
            Value::Slot(slot) => {
                let words = entry.ty.words();
                let name = self.name(slot, words, 0);
                let opcode = if words == 1 { Opcode::Get } else { Opcode::Get64 };
                self.emit(opcode, &[name]);
                self.holds = Some((slot, words));
            }
            Value::Accumulator => {}
        }
    }

    /// Brings a popped entry to a slot: its local, or its home.
    pub(super) fn settle(&mut self, entry: Entry) -> u16 {
        let words = entry.ty.words();
        match entry.value {
            Value::Slot(slot) => return slot,
            Value::Accumulator => self.store(entry.home, words),
            Value::Constant(value) => match small(value, entry.ty) {
                Some(byte) => self.store_small(entry.home, words, byte),
                None => {
                    self.load(entry);
                    self.store(entry.home, words);
                }
            },
        }
        entry.home
    }

    /// Brings a popped entry to its home.
    pub(super) fn bring_home(&mut self, entry: Entry) {
        let slot = self.settle(entry);
        self.copy(entry.home, slot, entry.ty.words());
    }

    /// A popped entry that is in the accumulator goes to its home; others stay what they are.
    pub(super) fn settled(&mut self, entry: Entry) -> Entry {
        match entry.value {
            Value::Accumulator => Entry { value: Value::Slot(self.settle(entry)), ..entry },
            _ => entry,
        }
    }

    /// Whether bringing the entry to a slot needs the accumulator.
    pub(super) fn is_large(entry: Entry) -> bool {
        matches!(entry.value, Value::Constant(value) if small(value, entry.ty).is_none())
    }

    /// Brings one popped entry to a slot, another to the accumulator.
    pub(super) fn settle_and_load(&mut self, settled: Entry, loaded: Entry) -> u16 {
        let loaded = if Self::is_large(settled) { self.settled(loaded) } else { loaded };
        let slot = self.settle(settled);
        self.load(loaded);
        slot
    }

    /// Brings the topmost entries to their homes, which neighbour each other; the first home.
    pub(super) fn flush_top(&mut self, count: usize) -> u16 {
        self.spill();
        let first = self.stack.len() - count;
        for index in first..self.stack.len() {
            let entry = self.stack[index];
            self.bring_home(entry);
            self.stack[index].value = Value::Slot(entry.home);
        }
        self.stack.get(first).map_or(self.next_home(), |entry| entry.home)
    }

    /// Brings every entry but the constants home, so that control may meet.
    pub(super) fn flush(&mut self) {
        self.spill();
        for index in 0..self.stack.len() {
            let entry = self.stack[index];
            if let Value::Slot(slot) = entry.value {
                self.copy(entry.home, slot, entry.ty.words());
                self.stack[index].value = Value::Slot(entry.home);
            }
        }
    }

    /// Gives entries that stand for a local slots of their own, because the local changes.
    fn detach(&mut self, local: u16, words: u16) {
        for index in 0..self.stack.len() {
            let entry = self.stack[index];
            let reads = |slot: u16| slot < local + words && local < slot + entry.ty.words();
            if let Value::Slot(slot) = entry.value
                && slot != entry.home
                && reads(slot)
            {
                self.copy(entry.home, slot, entry.ty.words());
                self.stack[index].value = Value::Slot(entry.home);
            }
        }
    }

    pub(super) fn local_get(&mut self, index: u32) {
        let (slot, ty) = self.locals[index as usize];
        self.push(Value::Slot(slot), ty);
    }

    pub(super) fn local_set(&mut self, index: u32) {
        let (slot, ty) = self.locals[index as usize];
        let entry = self.pop();
        self.detach(slot, ty.words());
        self.assign(slot, entry);
    }

    pub(super) fn local_tee(&mut self, index: u32) {
        let (slot, ty) = self.locals[index as usize];
        let entry = self.pop();
        self.detach(slot, ty.words());
        self.assign(slot, entry);
        match entry.value {
            Value::Constant(_) => self.push(entry.value, ty),
            _ => self.push(Value::Slot(slot), ty),
        }
    }

    pub(super) fn assign(&mut self, slot: u16, entry: Entry) {
        let words = entry.ty.words();
        if self.in_accumulator(entry) {
            if entry.value != Value::Slot(slot) {
                self.store(slot, words);
            }
            return;
        }
        match entry.value {
            Value::Constant(value) => match small(value, entry.ty) {
                Some(byte) => self.store_small(slot, words, byte),
                None => {
                    self.load(entry);
                    self.store(slot, words);
                }
            },
            Value::Slot(source) => self.copy(slot, source, words),
            Value::Accumulator => {}
        }
    }
}
