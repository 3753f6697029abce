//! The second page: operations that are rare or large.
//!
//! Leaves out those that deal with memory as a whole, which `instance` does.
use crate::arith::*;
use crate::float::*;
use crate::limits::WINDOW_BYTES;
use crate::opcodes::{cold_byte, for_each_cold_opcode};
use crate::outcome::Trap;
use crate::raw::Frame;

/// Does the operation behind the prefix; gives the accumulator and the instruction's length.
///
/// # Errors
/// The trap, or nothing for an operation on memory as a whole.
#[inline(never)]
pub(crate) fn cold(
    window: &[u8; WINDOW_BYTES],
    frame: Frame<'_>,
    accumulator: u64,
) -> Result<(u64, usize), Option<Trap>> {
    let slot = window[2];
    let low = accumulator as u32;
    let trap = Some;
    // The core calls the functions of these kinds itself, so none of them is asked for here.
    macro_rules! elsewhere {
        ($value:expr) => {
            if cfg!(thumb_core) { return Err(trap(Trap::BadCode)) } else { $value }
        };
    }

    macro_rules! arm {
        (divide32 $f:ident) => {
            ($f(frame.word(slot), low).map_err(trap)?.into(), 3)
        };
        (binary32 $f:ident) => {
            elsewhere!(($f(frame.word(slot), low).into(), 3))
        };
        (unary32 $f:ident) => {
            elsewhere!(($f(low).into(), 2))
        };
        (divide64 $f:ident) => {
            ($f(frame.long(slot), accumulator).map_err(trap)?, 3)
        };
        (binary64 $f:ident) => {
            elsewhere!(($f(frame.long(slot), accumulator), 3))
        };
        (unary64 $f:ident) => {
            elsewhere!(($f(accumulator), 2))
        };
        (check32 $f:ident) => {
            ($f(low).map_err(trap)?.into(), 2)
        };
        (check64 $f:ident) => {
            ($f(accumulator).map_err(trap)?.into(), 2)
        };
        (narrow $f:ident) => {
            elsewhere!(($f(accumulator).into(), 2))
        };
        (compare64 $f:ident) => {
            elsewhere!(($f(frame.long(slot), accumulator).into(), 3))
        };
        (own eqz64) => {
            (u64::from(accumulator == 0), 2)
        };
        (own $memory:ident) => {
            return Err(None)
        };
    }
    macro_rules! dispatch {
        ($(($opcode:ident $operands:tt ($($meaning:tt)*)))*) => {
            match window[1] {
                $(cold_byte::$opcode => arm!($($meaning)*),)*
                _ => return Err(trap(Trap::BadCode)),
            }
        };
    }
    Ok(for_each_cold_opcode!(dispatch))
}
