//! Integers modulo 2^255 - 19, as numbered registers on which fiat-crypto's functions run.
//!
//! Registers rather than values: every operation reads whole operands before it writes its result, so
//! it works in place, and a computation occupies exactly the registers it names. No point knows here.

#![expect(
    clippy::indexing_slicing,
    reason = "register numbers and limb numbers are constants of this crate, below the array sizes"
)]

use core::hint::black_box;

use fiat_crypto::curve25519_32 as fiat;
use zeroize::Zeroize;

/// Limbs of a field element, alternately 26 and 25 bits wide.
const LIMBS: usize = 10;

/// One field element, always within fiat-crypto's *tight* bounds.
///
/// The type is the *loose* one because multiplication, the most frequent operation, reads that: every
/// tight element is a loose one too, and nothing here writes a loose result into a register.
#[derive(Clone, Copy)]
pub(crate) struct Element(fiat::fiat_25519_loose_field_element);

impl Element {
    /// Zero.
    pub(crate) const ZERO: Self = Self::new([0; LIMBS]);
    /// One.
    pub(crate) const ONE: Self = Self::new([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    /// The curve constant d = -121665/121666.
    ///
    /// # Source
    /// RFC 8032, section 5.1, table 1.
    pub(crate) const D: Self = Self::new([
        0x35978a3, 0x0d37284, 0x3156ebd, 0x06a0a0e, 0x001c029, 0x179e898, 0x3a03cbb, 0x1ce7198,
        0x2e2b6ff, 0x1480db3,
    ]);
    /// 2 d.
    pub(crate) const D2: Self = Self::new([
        0x2b2f159, 0x1a6e509, 0x22add7a, 0x0d4141d, 0x0038052, 0x0f3d130, 0x3407977, 0x19ce331,
        0x1c56dff, 0x0901b67,
    ]);
    /// A square root of -1.
    ///
    /// # Source
    /// RFC 8032, section 5.1.3: 2^((p-1)/4).
    pub(crate) const ROOT_OF_MINUS_ONE: Self = Self::new([
        0x20ea0b0, 0x186c9d2, 0x08f189d, 0x035697f, 0x0bd0c60, 0x1fbd7a7, 0x2804c9e, 0x1e16569,
        0x004fc1d, 0x0ae0c92,
    ]);

    /// An element from limbs that are within the tight bounds.
    pub(crate) const fn new(limbs: [u32; LIMBS]) -> Self {
        Self(fiat::fiat_25519_loose_field_element(limbs))
    }

    fn tight(&self) -> fiat::fiat_25519_tight_field_element {
        fiat::fiat_25519_tight_field_element(self.0.0)
    }

    fn put(&mut self, value: &fiat::fiat_25519_tight_field_element) {
        self.0.0.copy_from_slice(&value.0);
    }

    /// Takes `other`'s limbs where `mask` is all ones, keeps its own where it is zero.
    pub(crate) fn merge(&mut self, other: &Self, mask: u32) {
        for (limb, other) in self.0.0.iter_mut().zip(&other.0.0) {
            *limb ^= mask & (*limb ^ other);
        }
    }
}

impl Zeroize for Element {
    fn zeroize(&mut self) {
        self.0.0.zeroize();
    }
}

/// All ones if `bit` is 1, zero if it is 0, in a way the compiler cannot turn into a branch.
pub(crate) fn mask(bit: u32) -> u32 {
    black_box(0_u32.wrapping_sub(bit & 1))
}

/// A file of `N` field elements. `d` is where a result goes; it may be one of the operands.
pub(crate) struct Registers<const N: usize>([Element; N]);

impl<const N: usize> Registers<N> {
    /// All zero.
    pub(crate) const fn new() -> Self {
        Self([Element::ZERO; N])
    }

    /// One register's value.
    pub(crate) fn read(&self, a: usize) -> &Element {
        &self.0[a]
    }

    /// `d` = `value`.
    pub(crate) fn set(&mut self, d: usize, value: &Element) {
        self.0[d] = *value;
    }

    /// `d` = `a`.
    pub(crate) fn copy(&mut self, d: usize, a: usize) {
        self.0[d] = self.0[a];
    }

    /// `d` = the little-endian number in `bytes`, bit 255 ignored.
    #[inline(never)]
    pub(crate) fn load(&mut self, d: usize, bytes: &[u8; 32]) {
        let mut bytes = *bytes;
        bytes[31] &= 0x7f;
        let mut out = fiat::fiat_25519_tight_field_element([0; LIMBS]);
        fiat::fiat_25519_from_bytes(&mut out, &bytes);
        self.0[d].put(&out);
        bytes.zeroize();
    }

    /// Writes the one canonical encoding of `a`.
    #[inline(never)]
    pub(crate) fn store(&self, a: usize, bytes: &mut [u8; 32]) {
        fiat::fiat_25519_to_bytes(bytes, &self.0[a].tight());
    }

    /// `d` = `a` * `b`.
    #[inline(never)]
    pub(crate) fn mul(&mut self, d: usize, a: usize, b: usize) {
        let mut out = fiat::fiat_25519_tight_field_element([0; LIMBS]);
        fiat::fiat_25519_carry_mul(&mut out, &self.0[a].0, &self.0[b].0);
        self.0[d].put(&out);
    }

    /// `d` = `a` * `factor`.
    #[inline(never)]
    pub(crate) fn mul_by(&mut self, d: usize, a: usize, factor: &Element) {
        let mut out = fiat::fiat_25519_tight_field_element([0; LIMBS]);
        fiat::fiat_25519_carry_mul(&mut out, &self.0[a].0, &factor.0);
        self.0[d].put(&out);
    }

    /// `d` = `a` * 121666, the factor of the Montgomery ladder with its doubling rearranged.
    pub(crate) fn mul_121666(&mut self, d: usize, a: usize) {
        let mut out = fiat::fiat_25519_tight_field_element([0; LIMBS]);
        fiat::fiat_25519_carry_scmul_121666(&mut out, &self.0[a].0);
        self.0[d].put(&out);
    }

    /// `d` = `a`^(2^`times`), for one or more times.
    #[inline(never)]
    pub(crate) fn square(&mut self, d: usize, a: usize, times: u32) {
        let mut from = a;
        for _ in 0..times {
            let mut out = fiat::fiat_25519_tight_field_element([0; LIMBS]);
            fiat::fiat_25519_carry_square(&mut out, &self.0[from].0);
            self.0[d].put(&out);
            from = d;
        }
    }

    /// `d` = `a` + `b`.
    pub(crate) fn add(&mut self, d: usize, a: usize, b: usize) {
        let mut sum = fiat::fiat_25519_loose_field_element([0; LIMBS]);
        fiat::fiat_25519_add(&mut sum, &self.0[a].tight(), &self.0[b].tight());
        self.carry(d, &sum);
    }

    /// `d` = `a` - `b`.
    pub(crate) fn sub(&mut self, d: usize, a: usize, b: usize) {
        let mut difference = fiat::fiat_25519_loose_field_element([0; LIMBS]);
        fiat::fiat_25519_sub(&mut difference, &self.0[a].tight(), &self.0[b].tight());
        self.carry(d, &difference);
    }

    #[inline(never)]
    fn carry(&mut self, d: usize, loose: &fiat::fiat_25519_loose_field_element) {
        let mut out = fiat::fiat_25519_tight_field_element([0; LIMBS]);
        fiat::fiat_25519_carry(&mut out, loose);
        self.0[d].put(&out);
    }

    /// Exchanges `a` and `b` where `mask` is all ones, leaves them where it is zero.
    pub(crate) fn swap(&mut self, a: usize, b: usize, mask: u32) {
        for limb in 0..LIMBS {
            let difference = mask & (self.0[a].0.0[limb] ^ self.0[b].0.0[limb]);
            self.0[a].0.0[limb] ^= difference;
            self.0[b].0.0[limb] ^= difference;
        }
    }

    /// Whether `a` is zero modulo p. For public values only: the caller will branch on it.
    #[inline(never)]
    pub(crate) fn is_zero(&self, a: usize) -> bool {
        let mut bytes = [0; 32];
        self.store(a, &mut bytes);
        bytes == [0; 32]
    }

    /// The lowest bit of the canonical encoding of `a`: its "sign".
    #[inline(never)]
    pub(crate) fn sign(&self, a: usize) -> u8 {
        let mut bytes = [0; 32];
        self.store(a, &mut bytes);
        let sign = bytes[0] & 1;
        bytes.zeroize();
        sign
    }

    /// `t[1]` = `a`^(p-2), which is 1/`a`, or 0 for 0. Overwrites all of `t`.
    pub(crate) fn invert(&mut self, a: usize, t: [usize; 4]) {
        self.power_chain(a, t);
        self.square(t[1], t[1], 5);
        self.mul(t[1], t[1], t[0]);
    }

    /// `t[1]` = `a`^((p-5)/8), from which square roots are made. Overwrites all of `t`.
    pub(crate) fn power_for_root(&mut self, a: usize, t: [usize; 4]) {
        self.power_chain(a, t);
        self.square(t[1], t[1], 2);
        self.mul(t[1], t[1], a);
    }

    /// `t[0]` = `a`^11 and `t[1]` = `a`^(2^250 - 1): what both exponents begin with.
    #[inline(never)]
    fn power_chain(&mut self, a: usize, t: [usize; 4]) {
        self.square(t[0], a, 1);
        self.square(t[1], t[0], 2);
        self.mul(t[1], t[1], a);
        self.mul(t[0], t[0], t[1]);
        self.square(t[2], t[0], 1);
        self.mul(t[1], t[1], t[2]);
        // Each line doubles the run of ones, or adds one that is already there:
        // 2^5-1 to 2^10-1, 2^20-1, 2^40-1, 2^50-1, 2^100-1, 2^200-1 and 2^250-1.
        self.square(t[2], t[1], 5);
        self.mul(t[1], t[2], t[1]);
        self.square(t[2], t[1], 10);
        self.mul(t[2], t[2], t[1]);
        self.square(t[3], t[2], 20);
        self.mul(t[2], t[3], t[2]);
        self.square(t[2], t[2], 10);
        self.mul(t[1], t[2], t[1]);
        self.square(t[2], t[1], 50);
        self.mul(t[2], t[2], t[1]);
        self.square(t[3], t[2], 100);
        self.mul(t[2], t[3], t[2]);
        self.square(t[2], t[2], 50);
        self.mul(t[1], t[2], t[1]);
    }
}

impl<const N: usize> Drop for Registers<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
