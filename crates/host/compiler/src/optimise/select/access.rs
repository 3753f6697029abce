//! Forms of loads and stores.
use super::Selector;
use super::operate::Operand;
use crate::optimise::body::{Arg, Place};
use crate::optimise::forms::{Start, form, is_long};

/// A form of an access; those of 64 bits have names of their own.
fn access(kind: &str, function: &str) -> Option<Start> {
    form(kind, function).or_else(|| {
        let (_, suffix) = kind.split_once('_')?;
        function.ends_with("64").then(|| form("own", &format!("{function}_{suffix}")))?
    })
}

impl Selector<'_> {
    /// Writes a load, with its own store where one is wanted and the table has it.
    fn try_load(
        &mut self,
        kind: &str,
        function: &str,
        operands: &[Operand],
        to: Option<Place>,
    ) -> bool {
        let storing = access(&format!("{kind}s"), function).filter(|_| self.must_store);
        if let (Some(start), Some(to)) = (storing, to) {
            let mut bytes = self.encode(operands);
            bytes.push(self.home(to));
            self.emit(start, &bytes);
            self.result(Some(to), true);
            return true;
        }
        let Some(start) = access(kind, function) else { return false };
        let bytes = self.encode(operands);
        self.emit(start, &bytes);
        self.result(to, false);
        true
    }

    pub(super) fn load_memory(
        &mut self,
        function: &'static str,
        offset: u32,
        [base, addend]: [Arg; 2],
        to: Option<Place>,
    ) {
        let byte = u8::try_from(offset).ok().map(Operand::Byte);
        match (base, addend) {
            (Arg::Place(place), Arg::Constant(constant)) => {
                let word = Operand::Word(constant as u32);
                let is_held = self.accumulator.has(base, 1);
                let is_done = is_held && self.try_load("load_aw", function, &[word], to);
                if !is_done
                    && !self.try_load("load_rw", function, &[Operand::Slot(place), word], to)
                {
                    self.gives_up = true;
                }
            }
            (Arg::Place(one), Arg::Place(other)) => {
                let (one, other) = (Operand::Slot(one), Operand::Slot(other));
                let is_done = self.accumulator.has(base, 1)
                    && self.try_load("load_ax", function, &[other], to)
                    || self.accumulator.has(addend, 1)
                        && self.try_load("load_ax", function, &[one], to);
                if !is_done && !self.try_load("load_rx", function, &[one, other], to) {
                    self.gives_up = true;
                }
            }
            (Arg::Constant(address), _) if offset == 0 && !self.accumulator.has(base, 1) => {
                let word = Operand::Word(address as u32);
                if !self.try_load("load_c", function, &[word], to) {
                    self.load_from(function, offset, base, to);
                }
            }
            (Arg::Place(place), _) if byte.is_some() && !self.accumulator.has(base, 1) => {
                let slot = Operand::Slot(place);
                let is_done = offset == 0 && self.try_load("load_r0", function, &[slot], to);
                let byte = byte.unwrap_or(Operand::Byte(0));
                if !is_done && !self.try_load("load_r", function, &[slot, byte], to) {
                    self.load_from(function, offset, base, to);
                }
            }
            _ => self.load_from(function, offset, base, to),
        }
    }

    /// A load with its address in the accumulator.
    fn load_from(&mut self, function: &'static str, offset: u32, base: Arg, to: Option<Place>) {
        self.load(base, 1);
        if offset == 0 && self.try_load("load_a0", function, &[], to) {
            return;
        }
        let is_done = match u8::try_from(offset) {
            Ok(byte) => self.try_load("load_a", function, &[Operand::Byte(byte)], to),
            Err(_) => self.try_load("load_wide", function, &[Operand::Word(offset)], to),
        };
        self.gives_up |= !is_done;
    }

    fn try_store(&mut self, kind: &str, function: &str, operands: &[Operand]) -> bool {
        let Some(start) = access(kind, function) else { return false };
        let bytes = self.encode(operands);
        self.emit(start, &bytes);
        true
    }

    /// Writes a store in the only form that fits.
    fn must_store_memory(&mut self, kind: &str, function: &str, operands: &[Operand]) {
        self.gives_up |= !self.try_store(kind, function, operands);
    }

    pub(super) fn store_memory(
        &mut self,
        function: &'static str,
        offset: u32,
        [base, addend, value]: [Arg; 3],
    ) {
        let words = if is_long(function) { 2 } else { 1 };
        match (base, addend) {
            (Arg::Place(place), Arg::Constant(constant)) => {
                let operands = [Operand::Slot(place), Operand::Word(constant as u32)];
                if let Arg::Place(stored) = value
                    && !self.accumulator.has(value, words)
                {
                    let [slot, word] = operands;
                    let is_done = self.accumulator.has(base, 1)
                        && self.try_store("store_arw", function, &[Operand::Slot(stored), word])
                        || self.try_store(
                            "store_rrw",
                            function,
                            &[slot, Operand::Slot(stored), word],
                        );
                    if is_done {
                        return;
                    }
                }
                self.load(value, words);
                self.must_store_memory("store_raw", function, &operands);
            }
            (Arg::Place(one), Arg::Place(other)) => {
                self.load(value, words);
                let operands = [Operand::Slot(one), Operand::Slot(other)];
                self.must_store_memory("store_rxa", function, &operands);
            }
            (Arg::Place(place), _) => self.store_at(function, offset, place, value),
            (Arg::Constant(address), _) => {
                let word = Operand::Word(address as u32);
                if offset == 0 && access("store_c", function).is_some() {
                    self.load(value, words);
                    self.must_store_memory("store_c", function, &[word]);
                    return;
                }
                let spare = self.spare(1);
                self.set_constant(spare, address);
                self.store_at(function, offset, spare, value);
            }
            (Arg::None, _) => {}
        }
    }

    fn store_at(&mut self, function: &'static str, offset: u32, base: Place, value: Arg) {
        let words = if is_long(function) { 2 } else { 1 };
        let at = Operand::Slot(base);
        let Ok(byte) = u8::try_from(offset).map(Operand::Byte) else {
            self.load(value, words);
            self.must_store_memory("store_wide", function, &[at, Operand::Word(offset)]);
            return;
        };
        if let Arg::Place(stored) = value
            && !self.accumulator.has(value, words)
        {
            let from = Operand::Slot(stored);
            let is_done = if self.accumulator.has(Arg::Place(base), 1) {
                offset == 0 && self.try_store("store_ar0", function, &[from])
                    || self.try_store("store_ar", function, &[from, byte])
            } else {
                offset == 0 && self.try_store("store_rr0", function, &[at, from])
                    || self.try_store("store_rr", function, &[at, from, byte])
            };
            if is_done {
                return;
            }
        }
        self.load(value, words);
        let is_done = offset == 0 && self.try_store("store_ra0", function, &[at]);
        if !is_done {
            self.must_store_memory("store_ra", function, &[at, byte]);
        }
    }
}
