//! What the floating-point rows of the opcode table compute, on bits: f32 in 32, f64 in 64.
//!
//! Sums, products and quotients are the processor's, or the compiler's soft float where it has none.
//! The rest is integer arithmetic here, the same on every machine. A computed NaN is always the
//! canonical one with the sign clear, so that results do not depend on the machine either. Leaves
//! out `f32.abs` and `f32.neg`, which are integer rows.
//!
//! # Source
//! WebAssembly Core Specification 2.0, "Floating-Point Operations" and "Conversions".
use crate::outcome::Trap;
use core::hint::black_box;

const NAN32: u32 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;
const INFINITY32: u32 = 0x7f80_0000;
const INFINITY64: u64 = 0x7ff0_0000_0000_0000;
const SIGN32: u32 = 1 << 31;
const SIGN64: u64 = 1 << 63;
/// Bits of an f64 behind its point.
const FRACTION_BITS: i32 = 52;
const FRACTION64: u64 = (1 << FRACTION_BITS) - 1;
const EXPONENT_BIAS: i32 = 1023;

/// What does not depend on the width: made once for 32 and once for 64 bits.
macro_rules! width {
    (
        $bits:ident $float:ident $nan:ident $infinity:ident $sign:ident
        $is_nan:ident $canonical:ident $order:ident $key:ident $pick:ident
        $copysign:ident $min:ident $max:ident
        operations { $($operation:ident $symbol:tt)* }
        comparisons { $($comparison:ident $orders:expr;)* }
    ) => {
        fn $is_nan(a: $bits) -> bool {
            a & !$sign > $infinity
        }

        fn $canonical(value: $float) -> $bits {
            let bits = value.to_bits();
            // The optimizer takes one NaN for as good as another: it must not know which this is.
            if $is_nan(bits) { black_box($nan) } else { bits }
        }

        /// Grows with the value; the zeros differ.
        fn $key(a: $bits) -> $bits {
            if a & $sign != 0 { !a } else { a | $sign }
        }

        #[inline(never)]
        fn $order(a: $bits, b: $bits) -> u32 {
            if $is_nan(a) || $is_nan(b) {
                0
            } else if a == b || (a | b) & !$sign == 0 {
                EQUAL
            } else if $key(a) < $key(b) {
                LESS
            } else {
                GREATER
            }
        }

        pub(crate) fn $copysign(a: $bits, b: $bits) -> $bits {
            a & !$sign | b & $sign
        }

        #[inline(never)]
        fn $pick(a: $bits, b: $bits, takes_less: bool) -> $bits {
            if $is_nan(a) || $is_nan(b) {
                return $nan;
            }
            if ($key(a) < $key(b)) == takes_less { a } else { b }
        }

        pub(crate) fn $min(a: $bits, b: $bits) -> $bits {
            $pick(a, b, true)
        }

        pub(crate) fn $max(a: $bits, b: $bits) -> $bits {
            $pick(a, b, false)
        }

        $(
            // The assembly core calls a function around it; the executor in Rust wants none inside.
            #[cfg_attr(thumb_core, inline(always))]
            #[cfg_attr(not(thumb_core), inline(never))]
            pub(crate) fn $operation(a: $bits, b: $bits) -> $bits {
                $canonical($float::from_bits(a) $symbol $float::from_bits(b))
            }
        )*
        $(
            pub(crate) fn $comparison(a: $bits, b: $bits) -> u32 {
                u32::from($order(a, b) & ($orders) != 0)
            }
        )*
    };
}

/// How two numbers compare; no bit is set where one is not a number.
const EQUAL: u32 = 1;
const LESS: u32 = 2;
const GREATER: u32 = 4;

width! {
    u32 f32 NAN32 INFINITY32 SIGN32
    is_nan32 canonical32 order32 key32 pick32
    f32_copysign f32_min f32_max
    operations { f32_add + f32_sub - f32_mul * f32_quotient / }
    comparisons {
        f32_eq EQUAL;
        f32_lt LESS;
        f32_gt GREATER;
        f32_le LESS | EQUAL;
        f32_ge GREATER | EQUAL;
    }
}

width! {
    u64 f64 NAN64 INFINITY64 SIGN64
    is_nan64 canonical64 order64 key64 pick64
    f64_copysign f64_min f64_max
    operations { f64_add + f64_sub - f64_mul * f64_div / }
    comparisons {
        f64_eq EQUAL;
        f64_lt LESS;
        f64_gt GREATER;
        f64_le LESS | EQUAL;
        f64_ge GREATER | EQUAL;
    }
}

/// Without a unit for it, a quotient of two numbers of 24 bits is rounded to 53 and then to 24 bits,
/// which is as if once: that saves a second division of half a kilobyte.
pub(crate) fn f32_div(a: u32, b: u32) -> u32 {
    if cfg!(all(target_arch = "arm", target_abi = "eabi")) {
        f32_demote(f64_div(f64_promote(a), f64_promote(b)))
    } else {
        f32_quotient(a, b)
    }
}

pub(crate) fn f32_ne(a: u32, b: u32) -> u32 {
    1 - f32_eq(a, b)
}

pub(crate) fn f64_ne(a: u64, b: u64) -> u32 {
    1 - f64_eq(a, b)
}

pub(crate) fn f64_abs(a: u64) -> u64 {
    a & !SIGN64
}

pub(crate) fn f64_neg(a: u64) -> u64 {
    a ^ SIGN64
}

#[inline(never)]
pub(crate) fn f64_promote(a: u32) -> u64 {
    canonical64(f64::from(f32::from_bits(a)))
}

#[inline(never)]
pub(crate) fn f32_demote(a: u64) -> u32 {
    canonical32(f64::from_bits(a) as f32)
}

/// Direction of rounding to an integer.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Round {
    Up,
    Down,
    ToZero,
    ToNearestEven,
}

/// The exponent of 2 in a number that is not subnormal.
fn exponent(a: u64) -> i32 {
    (a >> FRACTION_BITS & 0x7ff) as i32 - EXPONENT_BIAS
}

#[inline(never)]
fn round(a: u64, direction: Round) -> u64 {
    let exponent = exponent(a);
    if exponent >= FRACTION_BITS {
        return if is_nan64(a) { NAN64 } else { a };
    }
    let is_negative = a & SIGN64 != 0;
    let magnitude = a & !SIGN64;
    // The bits behind the point, the integer before it, and what adds one to that.
    let (behind, whole, one) = if exponent < 0 {
        (magnitude, 0, 0x3ff0_0000_0000_0000)
    } else {
        let one = 1 << (FRACTION_BITS - exponent);
        (magnitude & (one - 1), magnitude & !(one - 1), one)
    };
    let half = if exponent < 0 { 0x3fe0_0000_0000_0000 } else { one >> 1 };
    let is_odd = exponent >= 0 && whole & one != 0;
    let goes_away_from_zero = match direction {
        Round::Up => !is_negative && behind != 0,
        Round::Down => is_negative && behind != 0,
        Round::ToZero => false,
        Round::ToNearestEven => behind > half || behind == half && is_odd,
    };
    a & SIGN64 | (whole + if goes_away_from_zero { one } else { 0 })
}

/// The square root, one bit after the other, then rounded by what is left.
#[inline(never)]
pub(crate) fn f64_sqrt(a: u64) -> u64 {
    if a & !SIGN64 == 0 || a == INFINITY64 {
        return a;
    }
    if a & SIGN64 != 0 || is_nan64(a) {
        return NAN64;
    }
    let mut exponent = exponent(a);
    let mut rest = a & FRACTION64;
    if exponent == -EXPONENT_BIAS {
        let shift = rest.leading_zeros() as i32 - (63 - FRACTION_BITS);
        rest <<= shift;
        exponent = 1 - EXPONENT_BIAS - shift;
    } else {
        rest |= 1 << FRACTION_BITS;
    }
    rest <<= 1 + (exponent & 1);
    let (mut root, mut doubled) = (0, 0);
    let mut bit = 1_u64 << (FRACTION_BITS + 1);
    while bit != 0 {
        let next = doubled + bit;
        if next <= rest {
            doubled = next + bit;
            rest -= next;
            root += bit;
        }
        rest <<= 1;
        bit >>= 1;
    }
    if rest != 0 {
        root += root & 1;
    }
    // The root's highest bit adds the one that the exponent lacks.
    (root >> 1) + ((((exponent >> 1) + EXPONENT_BIAS - 1) as u64) << FRACTION_BITS)
}

/// Functions of one operand that are exact, or rounded once, when they go through f64.
macro_rules! unary {
    ($($name:ident $name64:ident $direction:expr;)*) => {
        $(
            pub(crate) fn $name(a: u32) -> u32 {
                f32_demote(round(f64_promote(a), $direction))
            }

            pub(crate) fn $name64(a: u64) -> u64 {
                round(a, $direction)
            }
        )*
    };
}

unary! {
    f32_ceil f64_ceil Round::Up;
    f32_floor f64_floor Round::Down;
    f32_trunc f64_trunc Round::ToZero;
    f32_nearest f64_nearest Round::ToNearestEven;
}

/// The root of a number of 24 bits, rounded to 53 and then to 24, is rounded as if once.
pub(crate) fn f32_sqrt(a: u32) -> u32 {
    f32_demote(f64_sqrt(f64_promote(a)))
}

/// An integer type that a number is converted to.
#[derive(Clone, Copy)]
struct Integer {
    bits: u32,
    is_signed: bool,
}

/// The integer part, or why there is none and the integer that is nearest.
#[inline(never)]
fn truncate(a: u64, to: Integer) -> Result<u64, (Trap, u64)> {
    if is_nan64(a) {
        return Err((Trap::InvalidConversion, 0));
    }
    let is_negative = a & SIGN64 != 0;
    let signed = |value: u64| if is_negative { value.wrapping_neg() } else { value };
    let exponent = exponent(a);
    if exponent < 0 {
        return Ok(0);
    }
    let highest = u64::MAX >> (64 - to.bits);
    let bound = match (to.is_signed, is_negative) {
        (true, false) => highest >> 1,
        (true, true) => (highest >> 1) + 1,
        (false, false) => highest,
        (false, true) => 0,
    };
    if exponent <= 63 {
        let digits = a & FRACTION64 | 1 << FRACTION_BITS;
        let shift = exponent - FRACTION_BITS;
        let magnitude = if shift >= 0 { digits << shift } else { digits >> -shift };
        if magnitude <= bound {
            return Ok(signed(magnitude));
        }
    }
    Err((Trap::IntegerOverflow, signed(bound)))
}

/// Conversions to integers, which trap, and their saturating twins.
macro_rules! to_integer {
    ($($name:ident $saturating:ident($a:ident: $from:ty) -> $to:ident, $is_signed:literal, $wide:expr;)*) => {
        $(
            pub(crate) fn $name($a: $from) -> Result<$to, Trap> {
                let to = Integer { bits: $to::BITS, is_signed: $is_signed };
                truncate($wide, to).map(|value| value as $to).map_err(|(trap, _)| trap)
            }

            pub(crate) fn $saturating($a: $from) -> $to {
                let to = Integer { bits: $to::BITS, is_signed: $is_signed };
                let (Ok(value) | Err((_, value))) = truncate($wide, to);
                value as $to
            }
        )*
    };
}

to_integer! {
    i32_trunc_f32_s i32_sat_f32_s(a: u32) -> u32, true, f64_promote(a);
    i32_trunc_f32_u i32_sat_f32_u(a: u32) -> u32, false, f64_promote(a);
    i32_trunc_f64_s i32_sat_f64_s(a: u64) -> u32, true, a;
    i32_trunc_f64_u i32_sat_f64_u(a: u64) -> u32, false, a;
    i64_trunc_f32_s i64_sat_f32_s(a: u32) -> u64, true, f64_promote(a);
    i64_trunc_f32_u i64_sat_f32_u(a: u32) -> u64, false, f64_promote(a);
    i64_trunc_f64_s i64_sat_f64_s(a: u64) -> u64, true, a;
    i64_trunc_f64_u i64_sat_f64_u(a: u64) -> u64, false, a;
}

#[inline(never)]
pub(crate) fn f32_from_u64(a: u64) -> u32 {
    (a as f32).to_bits()
}

#[inline(never)]
pub(crate) fn f64_from_u64(a: u64) -> u64 {
    (a as f64).to_bits()
}

pub(crate) fn f32_from_s64(a: u64) -> u32 {
    f32_from_u64(a.cast_signed().unsigned_abs()) | (a >> 32) as u32 & SIGN32
}

pub(crate) fn f64_from_s64(a: u64) -> u64 {
    f64_from_u64(a.cast_signed().unsigned_abs()) | a & SIGN64
}

pub(crate) fn f32_from_s32(a: u32) -> u32 {
    f32_from_s64(a.cast_signed() as u64)
}

pub(crate) fn f32_from_u32(a: u32) -> u32 {
    f32_from_u64(a.into())
}

pub(crate) fn f64_from_s32(a: u32) -> u64 {
    f64_from_s64(a.cast_signed() as u64)
}

pub(crate) fn f64_from_u32(a: u32) -> u64 {
    f64_from_u64(a.into())
}

#[cfg(test)]
mod tests;
