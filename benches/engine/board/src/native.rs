//! The programs, compiled for this core.

use crate::harness::{count, line};
use crate::payload::Program;

type Function = unsafe extern "C" fn(u32, u32) -> u32;

macro_rules! table {
    ($($name:ident $symbol:ident)*) => {
        unsafe extern "C" {
            $(fn $symbol(first: u32, second: u32) -> u32;)*
        }

        static PROGRAMS: &[(&str, Function)] = &[$((stringify!($name), $symbol)),*];
    };
}

table! {
    coremark program_coremark
    crc32 program_crc32
    f32mandel program_f32mandel
    fib program_fib
    i64mix program_i64mix
    matmul program_matmul
    sha256 program_sha256
    sieve program_sieve
}

/// Measures one program.
pub fn run(program: &Program) {
    let Some((_, function)) = PROGRAMS.iter().find(|(name, _)| *name == program.name) else {
        return;
    };
    let [first, second] = program.arguments;
    // SAFETY: the functions take any two words, and touch only their own statics.
    let (result, instructions) = count(|| unsafe { function(first, second) });
    line(program.name, "native", &[result, instructions]);
}
