//! What the arithmetic rows of the opcode table compute.
//!
//! # Source
//! WebAssembly Core Specification 2.0, "Integer Operations".
use crate::outcome::Trap;

/// Functions of two operands that cannot trap, for 32 and for 64 bits.
macro_rules! arithmetic {
    ($($name:ident $name64:ident |$a:ident, $b:ident| $body:expr;)*) => {
        $(
            #[inline(always)]
            pub(crate) fn $name($a: u32, $b: u32) -> u32 {
                $body
            }

            #[inline(always)]
            pub(crate) fn $name64($a: u64, $b: u64) -> u64 {
                $body
            }
        )*
    };
}

arithmetic! {
    add add64 |a, b| a.wrapping_add(b);
    and and64 |a, b| a & b;
    or or64 |a, b| a | b;
    xor xor64 |a, b| a ^ b;
    mul mul64 |a, b| a.wrapping_mul(b);
    sub sub64 |a, b| a.wrapping_sub(b);
    shl shl64 |a, b| a.wrapping_shl(b as u32);
    shr_s shr_s64 |a, b| a.cast_signed().wrapping_shr(b as u32).cast_unsigned();
    shr_u shr_u64 |a, b| a.wrapping_shr(b as u32);
    rotl rotl64 |a, b| a.rotate_left(b as u32);
    rotr rotr64 |a, b| a.rotate_right(b as u32);
}

/// Comparisons; the result is 0 or 1.
macro_rules! comparison {
    ($($name:ident $name64:ident |$a:ident, $b:ident| $body:expr;)*) => {
        $(
            #[inline(always)]
            pub(crate) fn $name($a: u32, $b: u32) -> u32 {
                u32::from($body)
            }

            #[inline(always)]
            pub(crate) fn $name64($a: u64, $b: u64) -> u32 {
                u32::from($body)
            }
        )*
    };
}

comparison! {
    eq eq64 |a, b| a == b;
    ne ne64 |a, b| a != b;
    lt_s lt_s64 |a, b| a.cast_signed() < b.cast_signed();
    lt_u lt_u64 |a, b| a < b;
    gt_s gt_s64 |a, b| a.cast_signed() > b.cast_signed();
    gt_u gt_u64 |a, b| a > b;
    le_s le_s64 |a, b| a.cast_signed() <= b.cast_signed();
    le_u le_u64 |a, b| a <= b;
    ge_s ge_s64 |a, b| a.cast_signed() >= b.cast_signed();
    ge_u ge_u64 |a, b| a >= b;
}

/// Divisions, which trap.
macro_rules! division {
    ($($name:ident $name64:ident |$a:ident, $b:ident| $body:expr;)*) => {
        $(
            #[inline(always)]
            pub(crate) fn $name($a: u32, $b: u32) -> Result<u32, Trap> {
                if $b == 0 { Err(Trap::DivideByZero) } else { $body }
            }

            #[inline(always)]
            pub(crate) fn $name64($a: u64, $b: u64) -> Result<u64, Trap> {
                if $b == 0 { Err(Trap::DivideByZero) } else { $body }
            }
        )*
    };
}

division! {
    div_s div_s64 |a, b| match a.cast_signed().checked_div(b.cast_signed()) {
        Some(quotient) => Ok(quotient.cast_unsigned()),
        None => Err(Trap::IntegerOverflow),
    };
    div_u div_u64 |a, b| Ok(a.wrapping_div(b));
    rem_s rem_s64 |a, b| Ok(a.cast_signed().wrapping_rem(b.cast_signed()).cast_unsigned());
    rem_u rem_u64 |a, b| Ok(a.wrapping_rem(b));
}

/// Functions of one operand.
macro_rules! unary {
    ($($name:ident $name64:ident |$a:ident| $body:expr;)*) => {
        $(
            #[inline(always)]
            pub(crate) fn $name($a: u32) -> u32 {
                $body
            }

            #[inline(always)]
            pub(crate) fn $name64($a: u64) -> u64 {
                $body
            }
        )*
    };
}

unary! {
    clz clz64 |a| a.leading_zeros() as _;
    ctz ctz64 |a| a.trailing_zeros() as _;
    popcnt popcnt64 |a| a.count_ones() as _;
    extend8_s extend8_s64 |a| a as i8 as _;
    extend16_s extend16_s64 |a| a as i16 as _;
}

#[inline(always)]
pub(crate) fn extend32_s64(a: u64) -> u64 {
    a as i32 as u64
}
