//! Integers modulo the order of the Ed25519 base point. Constant time, except where a name says not.

#![expect(
    clippy::indexing_slicing,
    reason = "word numbers run over 0..8, the size of every array here; a test drives the extremes"
)]

use zeroize::Zeroize;

use crate::field::mask;

/// Words of a number below 2^256, lowest first.
const WORDS: usize = 8;

/// The order L of the base point.
///
/// # Source
/// RFC 8032, section 5.1, table 1: 2^252 + 27742317777372353535851937790883648493.
const ORDER: [u32; WORDS] = [
    0x5cf5_d3ed,
    0x5812_631a,
    0xa2f7_9cd6,
    0x14de_f9de,
    0x0000_0000,
    0x0000_0000,
    0x0000_0000,
    0x1000_0000,
];

/// -1 / L modulo 2^32.
const MINUS_INVERSE: u32 = 0x1254_7e1b;

/// 2^512 modulo L.
const R_SQUARED: [u32; WORDS] = [
    0x449c_0f01,
    0xa406_11e3,
    0x6885_9347,
    0xd00e_1ba7,
    0x17f5_be65,
    0xceec_73d2,
    0x7c30_9a3d,
    0x0399_411b,
];

/// 2^768 modulo L.
const R_CUBED: [u32; WORDS] = [
    0x7b83_a2db,
    0x2a9e_4968,
    0xaef7_f3ec,
    0x2783_24e6,
    0x04ec_5b65,
    0x8065_dc6c,
    0x3599_cec7,
    0x0e53_0b77,
];

/// One, which leaves the Montgomery domain when multiplied by.
const ONE: [u32; WORDS] = [1, 0, 0, 0, 0, 0, 0, 0];

/// A 512-bit number modulo L.
#[inline(never)]
pub(crate) fn reduce(wide: &[u8; 64]) -> [u8; 32] {
    let mut low = words(wide, 0);
    let mut high = words(wide, WORDS);
    // In the Montgomery domain: low + high 2^256.
    montgomery(&mut low, &R_SQUARED);
    montgomery(&mut high, &R_CUBED);
    add(&mut low, &high);
    montgomery(&mut low, &ONE);
    let out = bytes(&low);
    low.zeroize();
    high.zeroize();
    out
}

/// `a` * `b` + `c` modulo L, where `b` and `c` are below L and `a` is any 256-bit number.
#[inline(never)]
pub(crate) fn multiply_add(a: &[u8; 32], b: &[u8; 32], c: &[u8; 32]) -> [u8; 32] {
    let mut product = words(a, 0);
    let mut factor = words(b, 0);
    let mut addend = words(c, 0);
    montgomery(&mut product, &R_SQUARED);
    montgomery(&mut product, &factor);
    add(&mut product, &addend);
    let out = bytes(&product);
    product.zeroize();
    factor.zeroize();
    addend.zeroize();
    out
}

/// Whether `scalar` is below L. Variable time: public input only.
pub(crate) fn is_canonical(scalar: &[u8; 32]) -> bool {
    words(scalar, 0).iter().rev().lt(ORDER.iter().rev())
}

/// Words of the little-endian `bytes`, from word `first`; zero past the end.
fn words(bytes: &[u8], first: usize) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4).skip(first)) {
        if let Ok(chunk) = chunk.try_into() {
            *word = u32::from_le_bytes(chunk);
        }
    }
    words
}

fn bytes(words: &[u32; WORDS]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// `a` = `a` * `b` / 2^256 modulo L, where `b` is below L; the result is below L.
///
/// # Source
/// Koc, Acar, Kaliski, "Analyzing and Comparing Montgomery Multiplication Algorithms" (1996), the
/// coarsely integrated operand scanning method.
#[inline(never)]
fn montgomery(a: &mut [u32; WORDS], b: &[u32; WORDS]) {
    let mut t = [0_u32; WORDS];
    for digit in *a {
        let mut carry = 0;
        for j in 0..WORDS {
            (t[j], carry) = multiply_step(t[j], digit, b[j], carry);
        }
        let top = carry;
        let factor = t[0].wrapping_mul(MINUS_INVERSE);
        (_, carry) = multiply_step(t[0], factor, ORDER[0], 0);
        for j in 1..WORDS {
            (t[j - 1], carry) = multiply_step(t[j], factor, ORDER[j], carry);
        }
        // What is left is below 3 L, so the sum of the two carries fits.
        t[WORDS - 1] = top.wrapping_add(carry);
    }
    *a = t;
    subtract_order(a);
    t.zeroize();
}

/// `sum` + `a` * `b` + `carry`, as low and high word. Cannot overflow 64 bits.
fn multiply_step(sum: u32, a: u32, b: u32, carry: u32) -> (u32, u32) {
    let wide = u64::from(a) * u64::from(b) + u64::from(sum) + u64::from(carry);
    (wide as u32, (wide >> 32) as u32)
}

/// `a` = `a` + `b` modulo L, both below L.
fn add(a: &mut [u32; WORDS], b: &[u32; WORDS]) {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b) {
        let sum = u64::from(*a) + u64::from(*b) + carry;
        *a = sum as u32;
        carry = sum >> 32;
    }
    subtract_order(a);
}

/// Subtracts L unless `a`, which is below 2 L, is below it.
fn subtract_order(a: &mut [u32; WORDS]) {
    let mut reduced = [0; WORDS];
    let mut borrow = 0;
    for ((out, a), order) in reduced.iter_mut().zip(&*a).zip(ORDER) {
        let difference = u64::from(*a).wrapping_sub(u64::from(order)).wrapping_sub(borrow);
        *out = difference as u32;
        borrow = difference >> 63;
    }
    let keep = mask(borrow as u32);
    for (a, reduced) in a.iter_mut().zip(reduced) {
        *a = reduced ^ (keep & (*a ^ reduced));
    }
    reduced.zeroize();
}

#[cfg(test)]
mod tests;
