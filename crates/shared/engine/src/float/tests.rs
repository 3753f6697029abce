//! Against the host's own floats, at edges and at random.
use super::*;

fn numbers64() -> Vec<u64> {
    let mut numbers = vec![
        0,
        1,
        2,
        FRACTION64,
        FRACTION64 + 1,
        NAN64,
        NAN64 + 1,
        INFINITY64,
        INFINITY64 + 1,
        INFINITY64 - 1,
    ];
    for value in [
        0.5,
        0.75,
        1.0,
        1.5,
        2.5,
        3.0,
        4.0,
        9.0,
        2147483647.5,
        2147483648.0,
        4294967295.9,
        4294967296.0,
        9.3e18,
        1.9e19,
        4503599627370495.5,
        4503599627370497.5,
        1e-310,
        3.4e38,
        1e-45,
    ] {
        let bits = f64::to_bits(value);
        numbers.extend([bits, bits - 1, bits + 1]);
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Half of them near 1, where digits stand on both sides of the point.
        let near = state & FRACTION64 | (1000 + (state >> 53) % 80) << 52;
        numbers.push(if state & 1 == 0 { state } else { near });
    }
    numbers.iter().flat_map(|bits| [*bits, bits ^ SIGN64]).collect()
}

fn canonical(value: f64) -> u64 {
    if value.is_nan() { black_box(NAN64) } else { value.to_bits() }
}

fn canonical_single(value: f32) -> u32 {
    if value.is_nan() { black_box(NAN32) } else { value.to_bits() }
}

#[test]
fn functions_of_one_number_are_the_hosts() {
    for bits in numbers64() {
        let value = f64::from_bits(bits);
        assert_eq!(f64_sqrt(bits), canonical(value.sqrt()), "sqrt {bits:#x}");
        assert_eq!(f64_ceil(bits), canonical(value.ceil()), "ceil {bits:#x}");
        assert_eq!(f64_floor(bits), canonical(value.floor()), "floor {bits:#x}");
        assert_eq!(f64_trunc(bits), canonical(value.trunc()), "trunc {bits:#x}");
        assert_eq!(f64_nearest(bits), canonical(value.round_ties_even()), "nearest {bits:#x}");
        assert_eq!(i32_sat_f64_s(bits), value as i32 as u32);
        assert_eq!(i32_sat_f64_u(bits), value as u32);
        assert_eq!(i64_sat_f64_s(bits), value as i64 as u64);
        assert_eq!(i64_sat_f64_u(bits), value as u64);
        assert_eq!(f64_from_s64(bits), (bits as i64 as f64).to_bits());
        assert_eq!(f32_from_s64(bits), (bits as i64 as f32).to_bits());
        let single_bits = (bits >> 32) as u32;
        let single = f32::from_bits(single_bits);
        assert_eq!(f32_sqrt(single_bits), canonical_single(single.sqrt()), "sqrt {single_bits:#x}");
        assert_eq!(f32_ceil(single_bits), canonical_single(single.ceil()));
        assert_eq!(f32_floor(single_bits), canonical_single(single.floor()));
        assert_eq!(f32_trunc(single_bits), canonical_single(single.trunc()));
        assert_eq!(f32_nearest(single_bits), canonical_single(single.round_ties_even()));
        assert_eq!(i64_sat_f32_s(single_bits), single as i64 as u64);
        assert_eq!(i64_sat_f32_u(single_bits), single as u64);
        assert_eq!(f32_from_s32(single_bits), (single_bits as i32 as f32).to_bits());
    }
}

#[test]
fn a_computed_nan_is_the_canonical_one() {
    let infinities = [INFINITY64, INFINITY64 | SIGN64];
    assert_eq!(f64_add(infinities[0], infinities[1]), NAN64);
    assert_eq!(f64_sub(infinities[1], infinities[1]), NAN64);
    assert_eq!(f64_mul(infinities[1], 0), NAN64);
    assert_eq!(f64_div(0, SIGN64), NAN64);
    assert_eq!(f64_add(u64::MAX, 0), NAN64);
    assert_eq!(f32_div(SIGN32, 0), NAN32);
    assert_eq!(f32_mul(INFINITY32 | SIGN32, 0), NAN32);
    assert_eq!(f32_sub(u32::MAX, 1), NAN32);
    assert_eq!(f32_demote(u64::MAX), NAN32);
    assert_eq!(f64_promote(u32::MAX), NAN64);
}

#[test]
fn a_conversion_traps_exactly_where_it_saturates() {
    for bits in numbers64() {
        let value = f64::from_bits(bits);
        let expected = if value.is_nan() {
            Err(Trap::InvalidConversion)
        } else if value.trunc() < -2147483648.0 || value.trunc() > 2147483647.0 {
            Err(Trap::IntegerOverflow)
        } else {
            Ok(value as i32 as u32)
        };
        assert_eq!(i32_trunc_f64_s(bits), expected);
    }
}

#[test]
fn functions_of_two_numbers_are_the_hosts() {
    let numbers = numbers64();
    for pair in numbers.windows(2).chain(numbers[..68].chunks(1)) {
        let (a, b) = (pair[0], pair[pair.len() - 1]);
        let (x, y) = (f64::from_bits(a), f64::from_bits(b));
        assert_eq!(f64_add(a, b), canonical(x + y));
        assert_eq!(f64_div(a, b), canonical(x / y));
        assert_eq!(f64_lt(a, b), u32::from(x < y), "{x} < {y}");
        assert_eq!(f64_ge(a, b), u32::from(x >= y), "{x} >= {y}");
        assert_eq!(f64_eq(a, b), u32::from(x == y), "{x} == {y}");
        assert_eq!(f64_ne(a, b), u32::from(x != y), "{x} != {y}");
        assert_eq!(f64_copysign(a, b), x.copysign(y).to_bits());
        let [c, d] = [a, b].map(|bits| (bits >> 29) as u32);
        let through_f64 = f32_demote(f64_div(f64_promote(c), f64_promote(d)));
        assert_eq!(f32_div(c, d), through_f64, "{c:#x} / {d:#x}");
        let is_odd = x.is_nan() || y.is_nan();
        let (low, high) = if x < y || x == y && x.is_sign_negative() { (a, b) } else { (b, a) };
        assert_eq!(f64_min(a, b), if is_odd { NAN64 } else { low }, "min {x} {y}");
        assert_eq!(f64_max(a, b), if is_odd { NAN64 } else { high }, "max {x} {y}");
    }
}
