//! The functions that the assembly core calls for rows of the second page, with the procedure call
//! standard of the processor. Leaves out rows that can trap and those with a template.
use crate::arith::*;
use crate::float::*;
use crate::opcodes::for_each_cold_opcode;

/// One function. Its name is where the row's function has its own, behind `wasmbed_engine_`.
macro_rules! function {
    ($f:ident ($($argument:ident: $width:ty),*)) => {
        const _: () = {
            #[unsafe(export_name = concat!("wasmbed_engine_", stringify!($f)))]
            extern "C" fn direct($($argument: $width),*) -> u64 {
                $f($($argument),*).into()
            }
        };
    };
}

/// A function for the kinds that have one. Rows with a template take no function, and the linker
/// leaves out what nobody calls.
macro_rules! of_kind {
    (binary32 $f:ident) => { function!($f(a: u32, b: u32)); };
    (unary32 $f:ident) => { function!($f(a: u32)); };
    (binary64 $f:ident) => { function!($f(a: u64, b: u64)); };
    (compare64 $f:ident) => { function!($f(a: u64, b: u64)); };
    (unary64 $f:ident) => { function!($f(a: u64)); };
    (narrow $f:ident) => { function!($f(a: u64)); };
    ($kind:ident $f:ident) => {};
}

macro_rules! functions {
    ($(($opcode:ident $operands:tt ($kind:ident $f:ident)))*) => { $(of_kind!($kind $f);)* };
}
for_each_cold_opcode!(functions);
