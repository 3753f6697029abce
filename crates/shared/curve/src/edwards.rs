//! Points of the Edwards curve: doubling, addition, multiples of the base point, encoding.

use zeroize::Zeroize;

use crate::comb::COMB;
use crate::field::{Element, Registers, mask};

/// A point prepared for being added: affine, as y + x, y - x and 2 d x y.
pub(crate) struct Niels {
    plus: Element,
    minus: Element,
    product: Element,
}

impl Niels {
    /// The neutral point.
    pub(crate) const NEUTRAL: Self =
        Self { plus: Element::ONE, minus: Element::ONE, product: Element::ZERO };

    /// A point from the limbs of its three coordinates.
    pub(crate) const fn new(plus: [u32; 10], minus: [u32; 10], product: [u32; 10]) -> Self {
        Self {
            plus: Element::new(plus),
            minus: Element::new(minus),
            product: Element::new(product),
        }
    }

    fn merge(&mut self, other: &Self, mask: u32) {
        self.plus.merge(&other.plus, mask);
        self.minus.merge(&other.minus, mask);
        self.product.merge(&other.product, mask);
    }
}

impl Zeroize for Niels {
    fn zeroize(&mut self) {
        self.plus.zeroize();
        self.minus.zeroize();
        self.product.zeroize();
    }
}

// Registers of a point in extended coordinates (x = X/Z, y = Y/Z, x y = T/Z), and three spare ones.
const X: usize = 0;
const Y: usize = 1;
const Z: usize = 2;
const T: usize = 3;
const T0: usize = 4;
const T1: usize = 5;
const T2: usize = 6;

// The same registers while a point is being decoded.
const U: usize = 0;
const V: usize = 1;
const W: usize = 2;

/// A point, with the registers that computing on it needs. Wiped when dropped.
struct Point(Registers<7>);

impl Point {
    /// No point yet.
    const fn new() -> Self {
        Self(Registers::new())
    }

    /// Becomes the neutral point. In place: a value returned would be on the stack twice.
    fn set_neutral(&mut self) {
        self.0.set(Y, &Element::ONE);
        self.0.set(Z, &Element::ONE);
    }

    /// Becomes `scalar` times the base point. Constant time.
    #[inline(never)]
    fn set_base_multiple(&mut self, scalar: &[u8; 32]) {
        self.set_neutral();
        let mut entry = Niels::NEUTRAL;
        for column in (0..64).rev() {
            self.double();
            select(comb_index(scalar, column), &mut entry);
            self.add(&entry, false);
        }
        entry.zeroize();
    }

    /// Becomes what [`joint_multiple`] encodes. Variable time.
    #[inline(never)]
    fn set_joint_multiple(&mut self, scalar: &[u8; 32], factor: &[u8; 32], negative: &Niels) {
        let triple = triple(factor);
        self.set_neutral();
        for position in (0..255).rev() {
            self.double();
            // The difference of three times a number and the number itself, halved, is written with
            // few non-zero signed digits: digit i is bit i + 1 of one minus that of the other.
            match (bit(&triple, position + 1), bit(factor, position + 1)) {
                (1, 0) => self.add(negative, false),
                (0, 1) => self.add(negative, true),
                _ => {}
            }
            if position < 64
                && let Some(entry) = COMB.get(comb_index(scalar, position) as usize)
            {
                self.add(entry, false);
            }
        }
    }

    /// Doubles the point.
    ///
    /// # Source
    /// RFC 8032, section 5.1.4, the formulas for doubling.
    #[inline(never)]
    fn double(&mut self) {
        let r = &mut self.0;
        r.add(T0, X, Y);
        r.square(T0, T0, 1);
        r.square(X, X, 1);
        r.square(Y, Y, 1);
        r.square(Z, Z, 1);
        r.add(T1, X, Y);
        r.sub(T2, X, Y);
        r.sub(T0, T1, T0);
        r.add(Z, Z, Z);
        r.add(Z, Z, T2);
        r.mul(X, T0, Z);
        r.mul(Y, T2, T1);
        r.mul(T, T0, T1);
        r.mul(Z, Z, T2);
    }

    /// Adds `other`, or subtracts it if `negate`. The formulas have no exceptions on this curve.
    ///
    /// # Source
    /// RFC 8032, section 5.1.4, the formulas for addition, with Z2 = 1 and the sums precomputed.
    /// The negative of a point exchanges y + x with y - x and changes the sign of x y.
    #[inline(never)]
    fn add(&mut self, other: &Niels, negate: bool) {
        let (plus, minus) =
            if negate { (&other.minus, &other.plus) } else { (&other.plus, &other.minus) };
        let r = &mut self.0;
        r.sub(T0, Y, X);
        r.add(T1, Y, X);
        r.mul_by(X, T0, minus);
        r.mul_by(Y, T1, plus);
        r.mul_by(T, T, &other.product);
        r.add(Z, Z, Z);
        r.sub(T0, Y, X);
        r.add(T1, Y, X);
        if negate {
            r.add(T2, Z, T);
            r.sub(T, Z, T);
        } else {
            r.sub(T2, Z, T);
            r.add(T, Z, T);
        }
        r.mul(X, T0, T2);
        r.mul(Y, T1, T);
        r.mul(Z, T2, T);
        r.mul(T, T0, T1);
    }

    /// Writes the one canonical encoding of the point, which is spent by it.
    fn encode(&mut self, bytes: &mut [u8; 32]) {
        let r = &mut self.0;
        r.invert(Z, [T0, T1, T2, T]);
        r.mul(X, X, T1);
        r.mul(Y, Y, T1);
        r.store(Y, bytes);
        let [.., last] = bytes;
        *last |= r.sign(X) << 7;
    }
}

/// Encodes `scalar` times the base point. Constant time.
#[inline(never)]
pub(crate) fn base_multiple(scalar: &[u8; 32], encoded: &mut [u8; 32]) {
    let mut point = Point::new();
    point.set_base_multiple(scalar);
    point.encode(encoded);
}

/// Encodes `scalar` times the base point minus `factor` times the point whose negative is `negative`
/// (that is, plus `factor` times `negative`). Variable time: public input only.
///
/// `factor` is below the group order, so three times it fits in 255 bits.
#[inline(never)]
pub(crate) fn joint_multiple(
    scalar: &[u8; 32],
    factor: &[u8; 32],
    negative: &Niels,
    encoded: &mut [u8; 32],
) {
    let mut point = Point::new();
    point.set_joint_multiple(scalar, factor, negative);
    point.encode(encoded);
}

/// Sets `negative` to the negative of the point that `bytes` encode. Variable time.
///
/// Whether they do: not if y is not below p, if no x belongs to it, or if x is zero and its sign
/// is not.
///
/// # Source
/// RFC 8032, section 5.1.3.
#[inline(never)]
pub(crate) fn decode_negated(bytes: &[u8; 32], negative: &mut Niels) -> bool {
    let [.., last] = bytes;
    let sign = last >> 7;
    let mut r = Registers::<7>::new();
    r.load(W, bytes);
    if !is_canonical(&r, bytes) {
        return false;
    }
    // x^2 = u/v with u = y^2 - 1 and v = d y^2 + 1.
    r.square(W, W, 1);
    r.set(T, &Element::ONE);
    r.sub(U, W, T);
    r.mul_by(V, W, &Element::D);
    r.add(V, V, T);
    // The candidate is u v^3 (u v^7)^((p-5)/8).
    r.square(T, V, 1);
    r.mul(T, T, V);
    r.square(W, T, 1);
    r.mul(W, W, V);
    r.mul(W, W, U);
    r.power_for_root(W, [T, T0, T1, T2]);
    r.square(T, V, 1);
    r.mul(T, T, V);
    r.mul(T, T, U);
    r.mul(T0, T0, T);
    r.square(T1, T0, 1);
    r.mul(T1, T1, V);
    r.sub(T2, T1, U);
    if !r.is_zero(T2) {
        r.add(T2, T1, U);
        if !r.is_zero(T2) {
            return false;
        }
        r.mul_by(T0, T0, &Element::ROOT_OF_MINUS_ONE);
    }
    if r.is_zero(T0) && sign == 1 {
        return false;
    }
    // The negative is wanted, so x changes its sign where that is the one asked for.
    if r.sign(T0) == sign {
        r.set(T1, &Element::ZERO);
        r.sub(T0, T1, T0);
    }
    r.load(W, bytes);
    r.add(U, W, T0);
    r.sub(V, W, T0);
    r.mul(T, W, T0);
    r.mul_by(T, T, &Element::D2);
    negative.plus = *r.read(U);
    negative.minus = *r.read(V);
    negative.product = *r.read(T);
    true
}

/// Whether `bytes`, but for the sign, are the one encoding of what was read from them.
#[inline(never)]
fn is_canonical(r: &Registers<7>, bytes: &[u8; 32]) -> bool {
    let mut canonical = [0; 32];
    r.store(W, &mut canonical);
    let ([.., last], [.., own]) = (bytes, &mut canonical);
    *own |= last & 0x80;
    canonical == *bytes
}

/// Copies entry `index` of the comb by reading every entry.
fn select(index: u32, entry: &mut Niels) {
    for (number, candidate) in (0_u32..).zip(&COMB) {
        let same = (number ^ index).wrapping_sub(1) >> 31;
        entry.merge(candidate, mask(same));
    }
}

/// The bits of `scalar` at `column`, `column` + 64, + 128 and + 192, as a number.
fn comb_index(scalar: &[u8; 32], column: usize) -> u32 {
    (0..4).rev().fold(0, |index, tooth| index << 1 | bit(scalar, column + 64 * tooth))
}

/// Bit `position` of a little-endian number; 0 past its end.
fn bit(number: &[u8; 32], position: usize) -> u32 {
    number.get(position / 8).map_or(0, |byte| u32::from(byte >> (position % 8) & 1))
}

/// Three times a number below 2^254.
fn triple(number: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    number.map(|byte| {
        let sum = 3 * u16::from(byte) + carry;
        carry = sum >> 8;
        sum.to_le_bytes()[0]
    })
}
