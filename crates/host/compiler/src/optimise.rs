//! Makes lowered code fast: the same function in fewer and cheaper instructions.
//!
//! Lowered code is read back as operations on values; copies are followed, results go where they
//! are wanted, additions go into addresses, and at the end each operation takes the cheapest form
//! that the table of opcodes has for where its operands are. Leaves out what only very large frames
//! need: their code stays as it is. What a function does and what fuel it takes never changes.
mod body;
mod constant;
mod decode;
mod encode;
mod fold;
mod forms;
mod propagate;
mod select;

use std::ops::Range;

/// What a call names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Called {
    /// A function that the image defines.
    Defined(u32),
    Import(u16),
    /// Any function of this type.
    OfType(u16),
}

/// What the passes have to know about a function and about those it calls.
pub(crate) struct Surroundings<'a> {
    /// Words of all results.
    pub(crate) result_words: u16,
    /// Whether there are several results, which are in the first slots.
    pub(crate) has_several_results: bool,
    /// Slots of locals, which begin as 0.
    pub(crate) locals: Range<u16>,
    /// Words of the parameters, and of the one result in the accumulator.
    pub(crate) call_words: &'a dyn Fn(Called) -> Option<(u16, u16)>,
}

/// A function's code.
pub(crate) struct Code {
    pub(crate) bytes: Vec<u8>,
    /// Offset of each direct call, and the defined function that it calls.
    pub(crate) call_places: Vec<(u32, u32)>,
    /// Offset in `bytes` and in the WebAssembly module of each stretch of instructions.
    pub(crate) source: Vec<(u32, u32)>,
    /// Slots of the frame.
    pub(crate) slots: u16,
}

/// Rewrites the code of one function. Nothing if it has to stay as it is.
pub(crate) fn optimise(code: &Code, surroundings: &Surroundings<'_>) -> Option<Code> {
    let mut body = decode::decode(code, surroundings)?;
    propagate::straighten(&mut body);
    for _ in 0..2 {
        propagate::forward(&mut body, surroundings);
        constant::fold_constants(&mut body);
        propagate::remove_dead(&mut body);
        propagate::retarget(&mut body);
        propagate::remove_dead(&mut body);
        fold::fold(&mut body);
        propagate::remove_dead(&mut body);
    }
    let selected = select::select(body, surroundings, code.slots)?;
    encode::encode(&selected)
}
