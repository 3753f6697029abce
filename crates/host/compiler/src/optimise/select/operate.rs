//! Forms of arithmetic, comparisons, copies and conditions.
use super::{Selector, swapped};
use crate::optimise::body::{Arg, CARRIED, Operation, Place, SLOTS};
use crate::optimise::forms::{Start, commutes, compares, form, is_long, shifts};

/// An operand as it is encoded.
#[derive(Clone, Copy)]
pub(super) enum Operand {
    /// A slot that is read.
    Slot(Place),
    Byte(u8),
    Word(u32),
}

/// A constant as the forms with 8 bits take it.
fn small(value: u64, is_long: bool) -> Option<u8> {
    let value = if is_long { value as i64 } else { i64::from(value as u32 as i32) };
    i8::try_from(value).ok().map(|value| value as u8)
}

impl Selector<'_> {
    pub(super) fn encode(&mut self, operands: &[Operand]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for operand in operands {
            match *operand {
                Operand::Slot(place) => bytes.push(self.slot(place)),
                Operand::Byte(byte) => bytes.push(byte),
                Operand::Word(word) => bytes.extend(word.to_le_bytes()),
            }
        }
        bytes
    }

    /// Does an operation in a form, if the table has it: with its own store where one is wanted.
    pub(super) fn try_form(
        &mut self,
        kind: &str,
        function: &str,
        operands: &[Operand],
        to: Option<Place>,
    ) -> bool {
        // The mark of a storing form comes before the width.
        let (kind, width) = match kind.strip_suffix("64") {
            Some(kind) => (kind, "64"),
            None => (kind, ""),
        };
        if self.must_store
            && let Some(to) = to
            && let Some(start) = form(&format!("{kind}s{width}"), function)
        {
            let mut bytes = self.encode(operands);
            bytes.push(self.home(to));
            self.emit(start, &bytes);
            self.result(Some(to), true);
            return true;
        }
        let Some(start) = form(&format!("{kind}{width}"), function) else { return false };
        let bytes = self.encode(operands);
        self.emit(start, &bytes);
        self.result(to, false);
        true
    }

    /// The form that changes a slot by another operand, which is shorter.
    fn try_update(
        &mut self,
        kind: &str,
        function: &str,
        [slot, other]: [Operand; 2],
        to: Option<Place>,
    ) -> bool {
        let Operand::Slot(changed) = slot else { return false };
        if !self.must_store || to != Some(changed) {
            return false;
        }
        let Some(start) = form(kind, function) else { return false };
        let bytes = self.encode(&[slot, other]);
        self.emit(start, &bytes);
        self.result(to, true);
        true
    }

    pub(super) fn binary(
        &mut self,
        function: &'static str,
        one: Arg,
        other: Arg,
        to: Option<Place>,
    ) {
        let is_long = is_long(function);
        let words = if is_long { 2 } else { 1 };
        let width = if is_long { "64" } else { "" };
        let (mut function, mut first, mut second) = (function, one, other);
        let is_constant = |arg: Arg| matches!(arg, Arg::Constant(_));
        if is_constant(first) && !is_constant(second) && (commutes(function) || compares(function))
        {
            (function, first, second) = (swapped(function), second, first);
        }
        if let Arg::Constant(value) = second
            && self.binary_constant(function, first, value, to)
        {
            return;
        }
        if self.binary_in_place(function, [first, second], to) {
            return;
        }
        let kind = |name: &str| format!("{name}{width}");
        if let Arg::Place(place) = second
            && form(&kind("ar"), function).is_some()
        {
            self.load(first, words);
            self.try_form(&kind("ar"), function, &[Operand::Slot(place)], to);
            return;
        }
        match (first, second) {
            (Arg::Place(place), _) => {
                self.load(second, words);
                self.gives_up |= !self.try_right(function, place, to);
            }
            // Two constants, or one before an operand that only a slot can be.
            (_, Arg::Place(place)) => {
                self.load(first, words);
                self.constant_first(function, place, to);
            }
            _ => self.constants(function, first, second, to),
        }
    }

    /// An operation on what is in the accumulator or in slots already.
    fn binary_in_place(
        &mut self,
        function: &'static str,
        [first, second]: [Arg; 2],
        to: Option<Place>,
    ) -> bool {
        let (words, width) = if is_long(function) { (2, "64") } else { (1, "") };
        let kind = |name: &str| format!("{name}{width}");
        if let Arg::Place(place) = second
            && self.accumulator.has(first, words)
        {
            if self.try_form(&kind("ar"), function, &[Operand::Slot(place)], to) {
                return true;
            }
            let exchanged = swapped(function);
            if compares(function) && self.try_right(exchanged, place, to) {
                return true;
            }
        }
        if let Arg::Place(place) = first
            && self.accumulator.has(second, words)
        {
            let is_done = commutes(function)
                && self.try_form(&kind("ar"), function, &[Operand::Slot(place)], to);
            if is_done || self.try_right(function, place, to) {
                return true;
            }
        }
        if let (Arg::Place(one), Arg::Place(other)) = (first, second) {
            let operands = [Operand::Slot(one), Operand::Slot(other)];
            let exchanged = [operands[1], operands[0]];
            if self.try_update(&kind("rr2"), function, operands, to)
                || commutes(function) && self.try_update(&kind("rr2"), function, exchanged, to)
                || self.try_form(&kind("rr"), function, &operands, to)
            {
                return true;
            }
        }
        false
    }

    /// Slot first, accumulator second: a form that each operation has.
    fn try_right(&mut self, function: &str, place: Place, to: Option<Place>) -> bool {
        let is_long = is_long(function);
        let kinds = match (is_long, commutes(function)) {
            (false, false) => ["ra", "binary32", "divide32"],
            (false, true) => ["ra", "ar", "binary32"],
            (true, false) => ["ra64", "binary64", "divide64"],
            (true, true) => ["ra64", "ar64", "binary64"],
        };
        let operands = [Operand::Slot(place)];
        kinds.iter().any(|kind| self.try_form(kind, function, &operands, to))
            || self.try_form("compare64", function, &operands, to)
    }

    /// A constant in the accumulator goes to a slot of its own, and the other operand takes its place.
    fn constant_first(&mut self, function: &str, second: Place, to: Option<Place>) {
        let spare = self.spare(second.words);
        self.set(spare);
        self.load(Arg::Place(second), second.words);
        self.gives_up |= !self.try_right(function, spare, to);
    }

    fn constants(&mut self, function: &str, first: Arg, second: Arg, to: Option<Place>) {
        let words = if is_long(function) { 2 } else { 1 };
        self.load(first, words);
        let spare = self.spare(words);
        self.set(spare);
        self.load(second, words);
        self.gives_up |= !self.try_right(function, spare, to);
    }

    fn binary_constant(
        &mut self,
        function: &'static str,
        first: Arg,
        value: u64,
        to: Option<Place>,
    ) -> bool {
        let is_long = is_long(function);
        let words = if is_long { 2 } else { 1 };
        let width = if is_long { "64" } else { "" };
        let kind = |name: &str| format!("{name}{width}");
        let bits = if is_long { 63 } else { 31 };
        let value = if shifts(function) { value & bits } else { value };
        let byte = small(value, is_long).map(Operand::Byte);
        let word = Operand::Word(value as u32);
        let fits_word = !is_long || i32::try_from(value as i64).is_ok();
        let has = |name: &str| form(&kind(name), function).is_some();
        if let Arg::Place(place) = first
            && !self.accumulator.has(first, words)
        {
            let slot = Operand::Slot(place);
            if let Some(byte) = byte
                && (self.try_update(&kind("ri2"), function, [slot, byte], to)
                    || self.try_form(&kind("ri"), function, &[slot, byte], to))
            {
                return true;
            }
            if fits_word && self.try_form(&kind("rj"), function, &[slot, word], to) {
                return true;
            }
        }
        if !(byte.is_some() && has("ai") || fits_word && has("aj")) {
            return false;
        }
        self.load(first, words);
        let is_done = byte.is_some_and(|byte| self.try_form(&kind("ai"), function, &[byte], to));
        is_done || self.try_form(&kind("aj"), function, &[word], to)
    }

    pub(super) fn unary(&mut self, function: &'static str, arg: Arg, to: Option<Place>) {
        let is_long = form("unary64", function).is_some() || function == "eqz64";
        let words = self.width(arg, is_long);
        self.load(arg, words);
        let kinds = ["a", "own", "unary32", "unary64"];
        let start: Option<Start> = kinds.iter().find_map(|kind| form(kind, function));
        match start {
            Some(start) => self.emit(start, &[]),
            None => self.gives_up = true,
        }
        self.result(to, false);
    }

    pub(super) fn choose(&mut self, [condition, first, second]: [Arg; 3], to: Option<Place>) {
        let (Arg::Place(first), Arg::Place(second)) = (first, second) else {
            self.gives_up = true;
            return;
        };
        self.load(condition, 1);
        let mut operands = self.encode(&[Operand::Slot(first), Operand::Slot(second)]);
        match to {
            Some(to) if self.must_store && first.words == 1 => {
                operands.push(self.home(to));
                self.emit_own("selects", &operands);
                self.result(Some(to), true);
            }
            _ => {
                self.emit_own(if first.words == 1 { "select" } else { "select64" }, &operands);
                self.result(to, false);
            }
        }
    }

    /// Slots for one instruction's own use.
    pub(super) fn spare(&mut self, words: u8) -> Place {
        let slot = self.first_home + 2;
        self.gives_up |= slot + 2 > SLOTS;
        self.slots = self.slots.max(slot + u16::from(words));
        Place::new(slot, words)
    }

    pub(super) fn copy(&mut self, from: Arg, to: Option<Place>, block: usize, index: usize) {
        let Some(to) = to else { return };
        let is_held = self.accumulator.has(from, to.words);
        if !is_held && to.word >= CARRIED {
            self.load(from, to.words);
        }
        if self.accumulator.has(from, to.words) {
            if self.must_store {
                self.set(to);
            }
            self.accumulator.forget(to);
            self.accumulator.alias(to);
            return;
        }
        if self.must_store {
            match from {
                Arg::Constant(value) => self.set_constant(to, value),
                Arg::Place(place) if self.is_wanted_next(to, place, block, index) => {
                    self.load(from, to.words);
                    self.set(to);
                    self.accumulator.alias(to);
                    return;
                }
                Arg::Place(place) => {
                    let operands = [self.home(to), self.slot(place)];
                    self.emit_own(if to.words == 1 { "copy" } else { "copy64" }, &operands);
                }
                Arg::None => {}
            }
        }
        self.accumulator.forget(to);
    }

    /// Whether the next instruction works on what is copied, so that the accumulator better has it.
    fn is_wanted_next(&self, to: Place, from: Place, block: usize, index: usize) -> bool {
        let Some(next) = self.body.blocks[block].get(index + 1) else { return false };
        let reads = |place: Place| next.args.contains(&Arg::Place(place));
        !matches!(next.operation, Operation::Move) && (reads(to) || reads(from))
    }

    pub(super) fn set_constant(&mut self, to: Place, value: u64) {
        for (index, word) in to.words().enumerate() {
            let value = (value >> (32 * index)) as u32;
            let slot = self.home(Place::new(word, 1));
            if let Some(byte) = small(value.into(), false) {
                self.emit_own("set_const8", &[slot, byte]);
            } else if let Some(start) = form("own", "set_const32") {
                let bytes = [&[slot], value.to_le_bytes().as_slice()].concat();
                self.emit(start, &bytes);
            } else {
                self.load(Arg::Constant(value.into()), 1);
                self.set(Place::new(word, 1));
            }
        }
    }
}

/// A condition in the form that it takes.
struct Condition {
    start: Start,
    operands: Vec<Operand>,
    /// What has to be in the accumulator.
    loaded: Option<Arg>,
}

impl Selector<'_> {
    pub(super) fn has_condition(
        &self,
        prefix: &str,
        function: &'static str,
        args: [Arg; 2],
    ) -> bool {
        self.find_condition(prefix, function, args).is_some()
    }

    /// The bytes of a branch before its distance, its operands brought to where it takes them.
    pub(super) fn condition(
        &mut self,
        prefix: &str,
        function: &'static str,
        args: [Arg; 2],
    ) -> Vec<u8> {
        let words = if is_long(function) { 2 } else { 1 };
        let Some(found) = self.find_condition(prefix, function, args) else {
            self.gives_up = true;
            return Vec::new();
        };
        if let Some(loaded) = found.loaded {
            self.load(loaded, words);
        }
        let operands = self.encode(&found.operands);
        [found.start, &operands].concat()
    }

    /// The cheapest form of a branch that the table has.
    fn find_condition(
        &self,
        prefix: &str,
        function: &'static str,
        args: [Arg; 2],
    ) -> Option<Condition> {
        let is_long = is_long(function);
        let (words, width) = if is_long { (2, "64") } else { (1, "") };
        let [mut first, mut second] = args;
        let mut function = function;
        if matches!(first, Arg::Constant(_)) && !matches!(second, Arg::Constant(_)) {
            (first, second, function) = (second, first, swapped(function));
        }
        let find = |kind: &str, function: &str| form(&format!("{prefix}_{kind}{width}"), function);
        let found = |start: Option<Start>, operands: &[Operand], loaded: Option<Arg>| {
            Some(Condition { start: start?, operands: operands.to_vec(), loaded })
        };
        let holds_first = self.accumulator.has(first, words);
        let holds_second = self.accumulator.has(second, words);
        let exchanged = swapped(function);
        match (first, second) {
            (_, Arg::Constant(value)) => {
                let byte = small(value, is_long).map(Operand::Byte);
                let slot = first.place().filter(|_| !holds_first).map(Operand::Slot);
                let zero = value == 0;
                let in_slot = slot.and_then(|slot| {
                    let at_zero = zero.then(|| found(find("r0", function), &[slot], None));
                    let at_byte = byte.map(|byte| found(find("ri", function), &[slot, byte], None));
                    at_zero.flatten().or(at_byte.flatten())
                });
                let loaded = || {
                    let at_zero = zero.then(|| found(find("a0", function), &[], Some(first)));
                    let at_byte =
                        byte.map(|byte| found(find("ai", function), &[byte], Some(first)));
                    at_zero.flatten().or(at_byte.flatten())
                };
                let constant_loaded = || {
                    let slot = Operand::Slot(first.place()?);
                    found(find("ar", exchanged), &[slot], Some(second))
                };
                let word_loaded = || {
                    let word = Operand::Word(value as u32);
                    let fits = !is_long || i32::try_from(value as i64).is_ok();
                    fits.then(|| found(find("aj", function), &[word], Some(first))).flatten()
                };
                in_slot.or_else(loaded).or_else(word_loaded).or_else(constant_loaded)
            }
            (_, Arg::Place(other)) if holds_first => {
                found(find("ar", function), &[Operand::Slot(other)], Some(first)).or_else(|| {
                    let slot = Operand::Slot(first.place()?);
                    found(find("rr", function), &[slot, Operand::Slot(other)], None)
                        .or_else(|| found(find("ar", exchanged), &[slot], Some(second)))
                })
            }
            (Arg::Place(one), Arg::Place(other)) => {
                let (one, other) = (Operand::Slot(one), Operand::Slot(other));
                let held = || found(find("ar", exchanged), &[one], Some(second));
                holds_second
                    .then(held)
                    .flatten()
                    .or_else(|| found(find("rr", function), &[one, other], None))
                    .or_else(|| found(find("rr", exchanged), &[other, one], None))
                    .or_else(|| found(find("ar", function), &[other], Some(first)))
                    .or_else(held)
            }
            _ => None,
        }
    }
}
