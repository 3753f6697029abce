//! Lowers one function from WebAssembly's stack code to register code.
//!
//! The operand stack is followed at lowering time: an entry is a constant, a slot, or what the
//! accumulator holds, and costs an instruction only when it is used in another form. Invariants: at
//! most one entry is in the accumulator; where control meets, all entries below are constants or in
//! their home slots. A block's only result is in the accumulator there; several results, and the
//! parameters of a loop, are in the slots that are their homes behind the block.
mod arithmetic;
mod branch;
mod control;
mod float;
mod operators;
mod table;
mod values;

use crate::assembler::{Assembler, Label};
use crate::cost::{Costs, count};
use crate::depth::{CallSite, FrameNeeds};
use crate::error::PrepareError;
use crate::limits::FRAME_SLOTS_MAX;
use crate::module::{Module, Type};
use crate::optimise::{Called, Code, Surroundings, optimise};
use branch::Condition;
use wasmbed_engine::{FunctionHeader, Opcode};
use wasmparser::{FunctionBody, Operator};

/// A lowered function.
pub(crate) struct Lowered {
    /// Header and instructions.
    pub(crate) code: Vec<u8>,
    pub(crate) needs: FrameNeeds,
    /// Offset in `code` of each direct call, and the defined function that it calls.
    pub(crate) call_places: Vec<(u32, u32)>,
    /// Offset in `code` and in the WebAssembly module of each operator that made instructions.
    pub(crate) source: Vec<(u32, u32)>,
}

/// Slots of scratch in a frame that has more slots than an operand can name.
const SCRATCH_SLOTS: u16 = 4;

/// Where the value of an entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Value {
    Constant(u64),
    Slot(u16),
    Accumulator,
}

/// An entry of the operand stack.
#[derive(Clone, Copy, Debug)]
struct Entry {
    value: Value,
    ty: Type,
    /// The slot that is the entry's own.
    home: u16,
}

/// An open control construct.
struct Control {
    kind: Kind,
    /// Entries below its parameters.
    height: usize,
    params: Vec<Type>,
    results: Vec<Type>,
    /// Its end, for what is not a loop.
    end: Label,
}

enum Kind {
    Function,
    Block,
    Loop {
        target: usize,
        cost: u32,
    },
    /// Where the condition does not hold: the place, its parameters, what the accumulator holds.
    If {
        otherwise: Label,
        entries: Vec<Entry>,
        holds: Option<(u16, u16)>,
    },
    Else,
}

impl Control {
    fn is_function(&self) -> bool {
        matches!(self.kind, Kind::Function)
    }
}

struct Lowering<'m, 'w> {
    module: &'m Module<'w>,
    assembler: Assembler,
    stack: Vec<Entry>,
    control: Vec<Control>,
    /// First slot and width of what the accumulator holds a copy of.
    holds: Option<(u16, u16)>,
    /// Slot of each local.
    locals: Vec<(u16, Type)>,
    /// First slot behind the locals.
    operands: u16,
    /// First scratch slot, in a wide frame.
    scratch: Option<u16>,
    /// A slot could not be named; the frame must be wide.
    needs_wide: bool,
    slots: u32,
    calls: Vec<CallSite>,
    /// Offset of each direct call, and the defined function that it calls.
    call_places: Vec<(u32, u32)>,
    costs: Costs,
    loops_seen: usize,
    is_reachable: bool,
    /// Constructs that were opened where nothing is reachable.
    dead_nesting: u32,
}

/// Lowers the body of the function with number `function`, whose cost is in its header.
pub(crate) fn lower(
    module: &Module<'_>,
    function: u32,
    body: &FunctionBody<'_>,
) -> Result<Lowered, PrepareError> {
    match lower_in_frame(module, function, body, false)? {
        Some(lowered) => Ok(lowered),
        None => Ok(lower_in_frame(module, function, body, true)?.unwrap_or(Lowered {
            code: Vec::new(),
            needs: FrameNeeds::default(),
            call_places: Vec::new(),
            source: Vec::new(),
        })),
    }
}

fn lower_in_frame(
    module: &Module<'_>,
    function: u32,
    body: &FunctionBody<'_>,
    is_wide: bool,
) -> Result<Option<Lowered>, PrepareError> {
    let signature = module.signature(function)?;
    let mut operators = Vec::new();
    for operator in body.get_operators_reader()?.into_iter_with_offsets() {
        operators.push(operator?);
    }
    let plain: Vec<Operator<'_>> = operators.iter().map(|(operator, _)| operator.clone()).collect();
    let (locals, params_end, locals_end) =
        place_locals(signature.params.as_slice(), body, is_wide)?;
    let costs = count(&plain);
    if costs.function > u16::MAX.into() {
        let what = "operators of one function";
        return Err(PrepareError::limit(what, costs.function.into(), u16::MAX.into()));
    }
    let cost = costs.function as u16;
    let mut lowering = Lowering {
        module,
        assembler: Assembler::default(),
        stack: Vec::new(),
        control: Vec::new(),
        holds: None,
        locals,
        operands: locals_end,
        scratch: is_wide.then(|| params_end - SCRATCH_SLOTS),
        needs_wide: false,
        slots: locals_end.into(),
        calls: Vec::new(),
        call_places: Vec::new(),
        costs,
        loops_seen: 0,
        is_reachable: true,
        dead_nesting: 0,
    };
    lowering.clear_locals(params_end, locals_end - params_end);
    let source = lowering.run(&operators, &plain, &signature.results)?;
    if lowering.slots > FRAME_SLOTS_MAX {
        let what = "slots of one frame";
        return Err(PrepareError::limit(what, lowering.slots.into(), FRAME_SLOTS_MAX.into()));
    }
    if lowering.needs_wide && !is_wide {
        return Ok(None);
    }
    let plain = Code {
        bytes: lowering.assembler.finish(function)?,
        call_places: lowering.call_places,
        source,
        slots: lowering.slots as u16,
    };
    let surroundings = Surroundings {
        result_words: signature.results.iter().map(|ty| ty.words()).sum(),
        has_several_results: signature.results.len() > 1,
        locals: params_end..locals_end,
        call_words: &|callee| call_words(module, callee),
    };
    let optimised = if is_wide { None } else { optimise(&plain, &surroundings) };
    Ok(Some(with_header(optimised.unwrap_or(plain), cost, lowering.calls)))
}

fn with_header(code: Code, cost: u16, calls: Vec<CallSite>) -> Lowered {
    let Code { bytes, call_places, source, slots } = code;
    let mut code = FunctionHeader { slots, cost }.encode().to_vec();
    let shift = code.len() as u32;
    code.extend(bytes);
    let shifted = |places: Vec<(u32, u32)>| -> Vec<(u32, u32)> {
        places.into_iter().map(|(at, what)| (at + shift, what)).collect()
    };
    Lowered {
        code,
        needs: FrameNeeds { slots, calls },
        call_places: shifted(call_places),
        source: shifted(source),
    }
}

/// Words of the parameters of what is called, and of the result that it leaves in the accumulator.
fn call_words(module: &Module<'_>, callee: Called) -> Option<(u16, u16)> {
    let signature = match callee {
        Called::Defined(number) => module.signature(module.imports.len() as u32 + number),
        Called::Import(number) => module.signature(number.into()),
        Called::OfType(number) => module.type_signature(number.into()),
    };
    let signature = signature.ok()?;
    // Several results are in the first slots of the callee.
    let result = match signature.results.as_slice() {
        [result] => result.words(),
        _ => 0,
    };
    Some((signature.param_words(), result))
}

/// Slots of parameters and locals, with the scratch slots between them in a wide frame.
#[expect(clippy::type_complexity, reason = "three results of one walk")]
fn place_locals(
    params: &[Type],
    body: &FunctionBody<'_>,
    is_wide: bool,
) -> Result<(Vec<(u16, Type)>, u16, u16), PrepareError> {
    let mut next = 0;
    let mut locals = Vec::new();
    let mut place = |ty: Type, next: &mut u32| {
        locals.push((*next as u16, ty));
        *next += u32::from(ty.words());
    };
    for param in params {
        place(*param, &mut next);
    }
    if is_wide {
        next += u32::from(SCRATCH_SLOTS);
    }
    let params_end = next as u16;
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        let ty = Type::of(ty)?;
        for _ in 0..count {
            place(ty, &mut next);
            if next > FRAME_SLOTS_MAX {
                let what = "slots of one frame";
                return Err(PrepareError::limit(what, next.into(), FRAME_SLOTS_MAX.into()));
            }
        }
    }
    Ok((locals, params_end, next as u16))
}

impl Lowering<'_, '_> {
    fn run(
        &mut self,
        operators: &[(Operator<'_>, u64)],
        plain: &[Operator<'_>],
        results: &[Type],
    ) -> Result<Vec<(u32, u32)>, PrepareError> {
        let mut source: Vec<(u32, u32)> = Vec::new();
        self.control.push(Control {
            kind: Kind::Function,
            height: 0,
            params: Vec::new(),
            results: results.to_vec(),
            end: Label::default(),
        });
        let mut at = 0;
        while let Some((operator, offset)) = operators.get(at) {
            let here = self.assembler.here() as u32;
            // Code belongs to the operator that made it: those before it that made none, such as
            // constants, give way.
            match source.last_mut() {
                Some((last, wasm)) if *last == here => *wasm = *offset as u32,
                _ => source.push((here, *offset as u32)),
            }
            at += 1;
            if !self.is_reachable {
                self.skip(operator);
                continue;
            }
            match self.fused_condition(&plain[at - 1..]) {
                Some((condition, consumed)) => {
                    at += consumed;
                    self.consume_condition(&operators[at - 1].0, condition)?;
                }
                None => self.operator(operator)?,
            }
            let home = u32::from(self.next_home());
            if home > FRAME_SLOTS_MAX {
                let what = "slots of one frame";
                return Err(PrepareError::limit(what, home.into(), FRAME_SLOTS_MAX.into()));
            }
        }
        Ok(source)
    }

    /// Passes over what cannot be reached, up to where control may come back.
    fn skip(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Loop { .. } => {
                self.loops_seen += 1;
                self.dead_nesting += 1;
            }
            Operator::Block { .. } | Operator::If { .. } => self.dead_nesting += 1,
            Operator::Else if self.dead_nesting == 0 => self.otherwise(),
            Operator::End if self.dead_nesting == 0 => self.end(),
            Operator::End => self.dead_nesting -= 1,
            _ => {}
        }
    }

    /// A comparison whose only use is the branch that follows it, and how many operators follow.
    fn fused_condition(&mut self, operators: &[Operator<'_>]) -> Option<(Condition, usize)> {
        let index = branch::comparison32(operators.first()?)?;
        let inversions = operators[1..].iter().take_while(|next| matches!(next, Operator::I32Eqz));
        let inversions = inversions.count();
        let consumer = operators.get(1 + inversions)?;
        if !matches!(consumer, Operator::BrIf { .. } | Operator::If { .. }) {
            return None;
        }
        let is_unary = matches!(operators[0], Operator::I32Eqz);
        let condition = self.pop_comparison(index, is_unary);
        let is_inverted = inversions % 2 == 1;
        let condition = if is_inverted { condition.inverted() } else { condition };
        Some((condition, 1 + inversions))
    }

    fn consume_condition(
        &mut self,
        consumer: &Operator<'_>,
        condition: Condition,
    ) -> Result<(), PrepareError> {
        match consumer {
            Operator::If { blockty } => self.begin_if(*blockty, condition),
            Operator::BrIf { relative_depth } => {
                self.branch_if(*relative_depth, condition);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Locals begin as 0.
    fn clear_locals(&mut self, first: u16, words: u16) {
        match (u8::try_from(first), u8::try_from(words)) {
            (_, Ok(0)) => {}
            (Ok(first), Ok(words)) => self.emit(Opcode::Clear, &[first, words]),
            _ => {
                let [first_low, first_high] = first.to_le_bytes();
                let [words_low, words_high] = words.to_le_bytes();
                self.emit(Opcode::ClearWide, &[first_low, first_high, words_low, words_high]);
            }
        }
    }

    /// Ends a stretch of instructions after which nothing is reachable.
    fn stop(&mut self) {
        self.is_reachable = false;
        self.holds = None;
    }

    fn emit(&mut self, opcode: Opcode, operands: &[u8]) {
        self.assembler.emit(opcode as u8, operands);
    }
}
