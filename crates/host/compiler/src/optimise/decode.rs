//! Reads lowered code back: from what the accumulator does to which values there are.
//!
//! Gives up on what only very large frames have; they stay as they were lowered.
use super::body::{Arg, Body, CARRIED, Instruction, Operation, Place, TEMPORARIES};
use super::{Called, Code, Surroundings};
use wasmbed_engine::{ColdOpcode, Opcode, Operand};

/// An instruction's bytes, and where it comes from.
struct Raw<'a> {
    at: usize,
    bytes: &'a [u8],
    source: u32,
}

/// Reads the code of one function. Nothing if it has what is not modelled.
pub(super) fn decode(code: &Code, surroundings: &Surroundings<'_>) -> Option<Body> {
    let raws = split(&code.bytes, &code.source)?;
    let mut starts = vec![0];
    let mut heads = Vec::new();
    for raw in &raws {
        let targets = targets(raw)?;
        let ends_block = !targets.is_empty() || ends(raw);
        heads.extend(targets.iter().copied().filter(|target| *target <= raw.at));
        starts.extend(targets);
        if ends_block {
            starts.push(raw.at + raw.bytes.len());
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts.retain(|start| *start < code.bytes.len());
    // Before the head of a loop is a block of its own, which only what does not go back passes.
    heads.sort_unstable();
    heads.dedup();
    starts.extend(&heads);
    starts.sort_unstable();
    let mut reader = Reader {
        surroundings,
        call_places: &code.call_places,
        starts,
        body: Body { blocks: Vec::new(), words: TEMPORARIES },
        block: Vec::new(),
        held: Place::new(CARRIED, 1),
        carried: 1,
        source: 0,
    };
    for raw in &raws {
        if reader.starts.binary_search(&raw.at).is_ok() && raw.at != 0 {
            reader.close();
        }
        reader.source = raw.source;
        if heads.binary_search(&raw.at).is_ok() {
            reader.push(Operation::Hold, None, [Arg::None; 3]);
            reader.close();
        }
        reader.read(raw)?;
        if reader.body.words > u16::MAX - 16 {
            return None;
        }
    }
    reader.close();
    Some(reader.body)
}

fn split<'a>(code: &'a [u8], source: &[(u32, u32)]) -> Option<Vec<Raw<'a>>> {
    let mut raws = Vec::new();
    let mut sources = source.iter().peekable();
    let (mut at, mut current) = (0, 0);
    while at < code.len() {
        while let Some((_, wasm)) = sources.next_if(|(from, _)| *from as usize <= at) {
            current = *wasm;
        }
        let length = length(&code[at..])?;
        raws.push(Raw { at, bytes: code.get(at..at + length)?, source: current });
        at += length;
    }
    Some(raws)
}

fn length(code: &[u8]) -> Option<usize> {
    let first = *code.first()?;
    if first == Opcode::BranchTable as u8 {
        let count = u16::from_le_bytes([*code.get(1)?, *code.get(2)?]);
        return Some(3 + 2 * (usize::from(count) + 1));
    }
    if first == Opcode::Cold as u8 {
        return Some(2 + ColdOpcode::operands(*code.get(1)?)?.map(Operand::bytes).sum::<usize>());
    }
    Some(1 + Opcode::operands(first)?.map(Operand::bytes).sum::<usize>())
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

/// Where a branch leads, as offsets.
fn targets(raw: &Raw<'_>) -> Option<Vec<usize>> {
    let first = raw.bytes[0];
    if first == Opcode::BranchTable as u8 {
        return Some(
            (3..raw.bytes.len())
                .step_by(2)
                .map(|at| raw.at + usize::from(half(raw.bytes, at)))
                .collect(),
        );
    }
    if first == Opcode::Cold as u8 {
        return Some(Vec::new());
    }
    let mut at = 1;
    let mut targets = Vec::new();
    for operand in Opcode::operands(first)? {
        match operand {
            Operand::Forward => targets.push(raw.at + usize::from(half(raw.bytes, at))),
            Operand::Backward | Operand::BackwardWide => {
                targets.push(raw.at.checked_sub(usize::from(half(raw.bytes, at)))?);
            }
            Operand::WideSlot | Operand::CallWide => return None,
            _ => {}
        }
        at += operand.bytes();
    }
    Some(targets)
}

fn ends(raw: &Raw<'_>) -> bool {
    raw.bytes[0] == Opcode::Return as u8 || raw.bytes[0] == Opcode::Unreachable as u8
}

struct Reader<'s, 'm> {
    surroundings: &'s Surroundings<'m>,
    call_places: &'s [(u32, u32)],
    /// Offsets where blocks begin.
    starts: Vec<usize>,
    body: Body,
    block: Vec<Instruction>,
    /// What the accumulator holds.
    held: Place,
    /// Words of what the accumulator carries into the block.
    carried: u8,
    source: u32,
}

/// The functions of one operand that make 64 bits of 32.
fn widens(function: &str) -> bool {
    matches!(function, "extend_s" | "extend_u")
}

impl Reader<'_, '_> {
    /// Ends a block: what the accumulator holds is carried on.
    fn close(&mut self) {
        let mut block = std::mem::take(&mut self.block);
        if self.held.word != CARRIED {
            let carry = Instruction {
                operation: Operation::Move,
                to: Some(Place::new(CARRIED, self.held.words)),
                args: [Arg::Place(self.held), Arg::None, Arg::None],
                source: self.source,
            };
            let is_branch =
                block.last().is_some_and(|last| last.ends() || !last.targets().is_empty());
            block.insert(block.len() - usize::from(is_branch), carry);
            self.carried = self.held.words;
        }
        self.held = Place::new(CARRIED, self.carried);
        self.body.blocks.push(block);
    }

    /// The block that a branch forward leads to.
    fn block_at(&self, offset: usize) -> Option<usize> {
        let index = self.starts.partition_point(|start| *start < offset);
        (self.starts.get(index) == Some(&offset)).then_some(index)
    }

    /// The block that a branch back leads to.
    fn head_at(&self, offset: usize) -> Option<usize> {
        let behind = self.starts.partition_point(|start| *start <= offset);
        behind.checked_sub(1).filter(|index| self.starts.get(*index) == Some(&offset))
    }

    fn push(&mut self, operation: Operation, to: Option<Place>, args: [Arg; 3]) {
        self.block.push(Instruction { operation, to, args, source: self.source });
    }

    /// A new value in the accumulator.
    fn result(&mut self, words: u8) -> Option<Place> {
        let place = Place::new(self.body.words, words);
        self.body.words += 2;
        self.held = place;
        Some(place)
    }

    fn accumulator(&self, words: u8) -> Arg {
        Arg::Place(Place::new(self.held.word, words))
    }

    fn slot(raw: &Raw<'_>, at: usize, words: u8) -> Arg {
        Arg::Place(Place::new(raw.bytes[at].into(), words))
    }

    fn read(&mut self, raw: &Raw<'_>) -> Option<()> {
        let bytes = raw.bytes;
        if bytes[0] == Opcode::Cold as u8 {
            let (kind, function) = ColdOpcode::decode(bytes[1])?.meaning();
            return self.read_cold(raw, kind, function);
        }
        let (kind, function) = Opcode::decode(bytes[0])?.meaning();
        match kind {
            "own" => self.read_own(raw, function),
            _ if kind.starts_with("branch_") || kind.starts_with("loop_") => {
                self.read_branch(raw, kind, function)
            }
            _ if kind.starts_with("load_") || kind.starts_with("store_") => {
                self.read_access(raw, kind, function)
            }
            _ => self.read_arithmetic(raw, kind, function),
        }
    }

    fn read_arithmetic(
        &mut self,
        raw: &Raw<'_>,
        kind: &'static str,
        function: &'static str,
    ) -> Option<()> {
        let byte = |at: usize| raw.bytes[at] as i8;
        let small = |at: usize| Arg::Constant((byte(at) as u32).into());
        let (args, target) = match kind {
            "rr" => ([Self::slot(raw, 1, 1), Self::slot(raw, 2, 1)], None),
            "ar" => ([self.accumulator(1), Self::slot(raw, 1, 1)], None),
            "ra" => ([Self::slot(raw, 1, 1), self.accumulator(1)], None),
            "ri" => ([Self::slot(raw, 1, 1), small(2)], None),
            "ai" => ([self.accumulator(1), small(1)], None),
            "aj" => ([self.accumulator(1), Arg::Constant(word(raw.bytes, 1).into())], None),
            "rrs" => ([Self::slot(raw, 1, 1), Self::slot(raw, 2, 1)], Some(3)),
            "ars" => ([self.accumulator(1), Self::slot(raw, 1, 1)], Some(2)),
            "ris" => ([Self::slot(raw, 1, 1), small(2)], Some(3)),
            "ais" => ([self.accumulator(1), small(1)], Some(2)),
            "ar64" => ([self.accumulator(2), Self::slot(raw, 1, 2)], None),
            "ra64" => ([Self::slot(raw, 1, 2), self.accumulator(2)], None),
            "ai64" => ([self.accumulator(2), Arg::Constant(byte(1) as u64)], None),
            _ => return self.read_other(raw),
        };
        let words = if kind.ends_with("64") { 2 } else { 1 };
        let to = self.result(words);
        self.push(Operation::Binary(function), to, [args[0], args[1], Arg::None]);
        if let Some(at) = target {
            self.store_to(raw.bytes[at], words);
        }
        Some(())
    }

    /// The accumulator is copied to a slot.
    fn store_to(&mut self, slot: u8, words: u8) {
        let from = self.accumulator(words);
        let to = Some(Place::new(slot.into(), words));
        self.push(Operation::Move, to, [from, Arg::None, Arg::None]);
    }

    fn read_branch(
        &mut self,
        raw: &Raw<'_>,
        kind: &'static str,
        function: &'static str,
    ) -> Option<()> {
        let (form, at) = match kind.rsplit_once('_')?.1 {
            "rr" => ([Self::slot(raw, 1, 1), Self::slot(raw, 2, 1)], 3),
            "ar" => ([self.accumulator(1), Self::slot(raw, 1, 1)], 2),
            "ai" => ([self.accumulator(1), Arg::Constant((raw.bytes[1] as i8 as u32).into())], 2),
            "ri" => ([Self::slot(raw, 1, 1), Arg::Constant((raw.bytes[2] as i8 as u32).into())], 3),
            _ => return None,
        };
        let offset = *targets(raw)?.first()?;
        let is_back = kind.starts_with("loop_");
        let target = if is_back { self.head_at(offset)? } else { self.block_at(offset)? };
        let cost = is_back.then(|| raw.bytes[at + 2].into());
        let operation = Operation::BranchIf { function, target, cost };
        self.push(operation, None, [form[0], form[1], Arg::None]);
        Some(())
    }

    fn read_access(
        &mut self,
        raw: &Raw<'_>,
        kind: &'static str,
        function: &'static str,
    ) -> Option<()> {
        let offset = |at: usize| u32::from(raw.bytes[at]);
        match kind {
            "load_a" | "load_wide" | "load_r" | "load_rs" => {
                let (address, offset) = match kind {
                    "load_a" => (self.accumulator(1), offset(1)),
                    "load_wide" => (self.accumulator(1), word(raw.bytes, 1)),
                    _ => (Self::slot(raw, 1, 1), offset(2)),
                };
                let to = self.result(1);
                self.push(
                    Operation::Load { function, offset },
                    to,
                    [address, Arg::None, Arg::None],
                );
                if kind == "load_rs" {
                    self.store_to(raw.bytes[3], 1);
                }
            }
            _ => {
                let (address, value, offset) = match kind {
                    "store_ra" => (Self::slot(raw, 1, 1), self.accumulator(1), offset(2)),
                    "store_ar" => (self.accumulator(1), Self::slot(raw, 1, 1), offset(2)),
                    "store_rr" => (Self::slot(raw, 1, 1), Self::slot(raw, 2, 1), offset(3)),
                    "store_wide" => {
                        (Self::slot(raw, 1, 1), self.accumulator(1), word(raw.bytes, 2))
                    }
                    _ => return None,
                };
                self.push(Operation::Store { function, offset }, None, [address, Arg::None, value]);
            }
        }
        Some(())
    }

    fn read_cold(
        &mut self,
        raw: &Raw<'_>,
        kind: &'static str,
        function: &'static str,
    ) -> Option<()> {
        let (words_in, words_out) = match kind {
            "unary32" if function.starts_with("f64_") || function.starts_with("i64_") => (1, 2),
            "divide32" | "binary32" | "unary32" => (1, 1),
            "divide64" | "binary64" | "unary64" => (2, 2),
            "compare64" => (2, 1),
            _ if (kind, function) == ("own", "eqz64") => (2, 1),
            _ => return self.read_other(raw),
        };
        let accumulator = self.accumulator(words_in);
        if kind.starts_with("unary") || kind == "own" {
            let to = self.result(words_out);
            self.push(Operation::Unary(function), to, [accumulator, Arg::None, Arg::None]);
        } else {
            let first = Self::slot(raw, 2, words_in);
            let to = self.result(words_out);
            self.push(Operation::Binary(function), to, [first, accumulator, Arg::None]);
        }
        Some(())
    }

    fn read_other(&mut self, raw: &Raw<'_>) -> Option<()> {
        let accumulator = Arg::Place(self.held);
        let to = self.result(2);
        let operation = Operation::Other(raw.bytes.to_vec());
        self.push(operation, to, [accumulator, Arg::None, Arg::None]);
        Some(())
    }

    fn read_own(&mut self, raw: &Raw<'_>, function: &'static str) -> Option<()> {
        let bytes = raw.bytes;
        let of = |arg: Arg| [arg, Arg::None, Arg::None];
        match function {
            "const8" | "const32" => {
                let value = match function {
                    "const8" => bytes[1] as i8 as u32,
                    _ => word(bytes, 1),
                };
                let to = self.result(1);
                self.push(Operation::Move, to, of(Arg::Constant(value.into())));
            }
            "const64" => {
                let value = u64::from(word(bytes, 1)) | u64::from(word(bytes, 5)) << 32;
                let to = self.result(2);
                self.push(Operation::Move, to, of(Arg::Constant(value)));
            }
            "get" | "get64" => {
                let words = if function == "get" { 1 } else { 2 };
                let from = Self::slot(raw, 1, words);
                let to = self.result(words);
                self.push(Operation::Move, to, of(from));
            }
            "set" => self.store_to(bytes[1], 1),
            "set64" => self.store_to(bytes[1], 2),
            "copy" | "copy64" => {
                let words = if function == "copy" { 1 } else { 2 };
                let to = Some(Place::new(bytes[1].into(), words));
                self.push(Operation::Move, to, of(Self::slot(raw, 2, words)));
            }
            "set_const8" => {
                let to = Some(Place::new(bytes[1].into(), 1));
                let value = bytes[2] as i8 as u32;
                self.push(Operation::Move, to, of(Arg::Constant(value.into())));
            }
            _ => return self.read_memory(raw, function),
        }
        Some(())
    }

    /// Selects, globals, and accesses of 64 bits.
    fn read_memory(&mut self, raw: &Raw<'_>, function: &'static str) -> Option<()> {
        let bytes = raw.bytes;
        let of = |arg: Arg| [arg, Arg::None, Arg::None];
        match function {
            "select" | "select64" => {
                let words = if function == "select" { 1 } else { 2 };
                let condition = self.accumulator(1);
                let args = [condition, Self::slot(raw, 1, words), Self::slot(raw, 2, words)];
                let to = self.result(words);
                self.push(Operation::Select, to, args);
            }
            "global_get" | "global_get64" => {
                let to = self.result(if function == "global_get" { 1 } else { 2 });
                self.push(Operation::GlobalGet(bytes[1]), to, [Arg::None; 3]);
            }
            "global_set" | "global_set64" => {
                let words = if function == "global_set" { 1 } else { 2 };
                let from = self.accumulator(words);
                self.push(Operation::GlobalSet(bytes[1], words), None, of(from));
            }
            "extend_s" | "extend_u" => {
                let from = self.accumulator(1);
                let to = self.result(if widens(function) { 2 } else { 1 });
                self.push(Operation::Unary(function), to, of(from));
            }
            "load64_a" | "load64_r" | "load64_wide" => {
                let (address, offset) = match function {
                    "load64_a" => (self.accumulator(1), bytes[1].into()),
                    "load64_r" => (Self::slot(raw, 1, 1), bytes[2].into()),
                    _ => (self.accumulator(1), word(bytes, 1)),
                };
                let to = self.result(2);
                self.push(Operation::Load { function: "load64", offset }, to, of(address));
            }
            "store64_ra" | "store64_ar" | "store64_rr" | "store64_wide" => {
                let (address, value, offset) = match function {
                    "store64_ra" => (Self::slot(raw, 1, 1), self.accumulator(2), bytes[2].into()),
                    "store64_ar" => (self.accumulator(1), Self::slot(raw, 1, 2), bytes[2].into()),
                    "store64_rr" => (Self::slot(raw, 1, 1), Self::slot(raw, 2, 2), bytes[3].into()),
                    _ => (Self::slot(raw, 1, 1), self.accumulator(2), word(bytes, 2)),
                };
                let operation = Operation::Store { function: "store64", offset };
                self.push(operation, None, [address, Arg::None, value]);
            }
            _ => return self.read_control(raw, function),
        }
        Some(())
    }

    fn callee(&self, raw: &Raw<'_>, function: &str) -> Option<Called> {
        let number = half(raw.bytes, 1);
        Some(match function {
            "call" => {
                let here = |(at, _): &&(u32, u32)| *at as usize == raw.at;
                Called::Defined(self.call_places.iter().find(here)?.1)
            }
            "call_host" => Called::Import(number),
            _ => Called::OfType(number),
        })
    }

    fn read_control(&mut self, raw: &Raw<'_>, function: &'static str) -> Option<()> {
        let bytes = raw.bytes;
        let none = [Arg::None; 3];
        match function {
            // The passes find out which locals must begin as 0.
            "clear" | "clear_wide" => {}
            "unreachable" => self.push(Operation::Unreachable, None, none),
            "ret" => {
                let words = self.surroundings.result_words;
                let several = if self.surroundings.has_several_results { words } else { 0 };
                let words = if several == 0 { words as u8 } else { 0 };
                let result = if words == 0 { Arg::None } else { self.accumulator(words) };
                let operation = Operation::Return { words, several };
                self.push(operation, None, [result, Arg::None, Arg::None]);
            }
            "branch" => {
                let target = self.block_at(*targets(raw)?.first()?)?;
                self.push(Operation::Branch(target), None, none);
            }
            "loop_back" | "loop_back_wide" => {
                let target = self.head_at(*targets(raw)?.first()?)?;
                let is_wide = function == "loop_back_wide";
                let cost = if is_wide { half(bytes, 3) } else { bytes[3].into() };
                self.push(Operation::Loop { target, cost }, None, none);
            }
            "branch_table" => {
                let found: Option<Vec<usize>> =
                    targets(raw)?.into_iter().map(|target| self.block_at(target)).collect();
                let index = self.accumulator(1);
                self.push(Operation::BranchTable(found?), None, [index, Arg::None, Arg::None]);
            }
            "call" | "call_indirect" | "call_reference" | "call_host" => {
                let opcode = Opcode::decode(bytes[0])?;
                let base = if function == "call" { bytes[1].into() } else { half(bytes, 3) };
                let callee = self.callee(raw, function)?;
                let (params, results) = (self.surroundings.call_words)(callee)?;
                if base + params > 256 {
                    return None;
                }
                let is_indirect = matches!(function, "call_indirect" | "call_reference");
                let element = if is_indirect { self.accumulator(1) } else { Arg::None };
                let to = match results {
                    1 | 2 => self.result(results as u8),
                    _ => {
                        self.result(2);
                        None
                    }
                };
                let operands = bytes[1..].to_vec();
                let callee = match callee {
                    Called::Defined(number) => Some(number),
                    _ => None,
                };
                let operation = Operation::Call { opcode, operands, callee, base, params };
                self.push(operation, to, [element, Arg::None, Arg::None]);
            }
            _ => return self.read_other(raw),
        }
        Some(())
    }
}
