//! X25519 key agreement: the Montgomery ladder of RFC 7748. Makes no keys: randomness is an argument.

use zeroize::Zeroize;

use crate::field::{Element, Registers, mask};
use crate::limits::KEY_BYTES;

#[cfg(test)]
mod tests;

/// The u-coordinate of the base point.
///
/// # Source
/// RFC 7748, section 4.1.
const BASE_POINT: [u8; KEY_BYTES] = {
    let mut bytes = [0; KEY_BYTES];
    bytes[0] = 9;
    bytes
};

/// The public key of `secret`, any 32 random bytes. Constant time.
pub fn public_key(secret: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    let mut public = [0; KEY_BYTES];
    multiply(secret, &BASE_POINT, &mut public);
    public
}

/// The secret shared with the owner of `public`. Constant time but for the refusal.
///
/// # Errors
/// `None` if the result is all zero, which a point of small order from the peer forces.
///
/// # Source
/// RFC 7748, section 6.1, and RFC 8446, section 7.4.2, which demands the check.
pub fn shared(secret: &[u8; KEY_BYTES], public: &[u8; KEY_BYTES]) -> Option<[u8; KEY_BYTES]> {
    let mut shared = [0; KEY_BYTES];
    multiply(secret, public, &mut shared);
    let any = shared.iter().fold(0, |any, byte| any | byte);
    (any != 0).then_some(shared)
}

// Registers of the ladder: the points being multiplied as X:Z, and two spare ones.
const X1: usize = 0;
const X2: usize = 1;
const Z2: usize = 2;
const X3: usize = 3;
const Z3: usize = 4;
const T0: usize = 5;
const T1: usize = 6;

/// `out` = the clamped `secret` times the point with coordinate `u`.
#[inline(never)]
fn multiply(secret: &[u8; KEY_BYTES], u: &[u8; KEY_BYTES], out: &mut [u8; KEY_BYTES]) {
    let mut scalar = *secret;
    clamp(&mut scalar);
    let mut r = Registers::<7>::new();
    r.load(X1, u);
    r.set(X2, &Element::ONE);
    r.copy(X3, X1);
    r.set(Z3, &Element::ONE);
    let mut swapped = 0;
    // Bit 255 is clear after clamping, so the ladder starts below it.
    for byte in (0..KEY_BYTES).rev() {
        let bits = u32::from(scalar.get(byte).copied().unwrap_or(0));
        for bit in (0..8).rev() {
            let bit = bits >> bit & 1;
            swap_points(&mut r, mask(swapped ^ bit));
            swapped = bit;
            ladder_step(&mut r);
        }
    }
    swap_points(&mut r, mask(swapped));
    r.invert(Z2, [X1, X3, T0, T1]);
    r.mul(X2, X2, X3);
    r.store(X2, out);
    scalar.zeroize();
}

/// Makes 32 random bytes a scalar: a multiple of 8 with bit 254 as its highest.
///
/// # Source
/// RFC 7748, section 5, decodeScalar25519; RFC 8032, section 5.1.5, step 2.
pub(crate) fn clamp(scalar: &mut [u8; KEY_BYTES]) {
    let [first, .., last] = scalar;
    *first &= 0xf8;
    *last &= 0x7f;
    *last |= 0x40;
}

fn swap_points(r: &mut Registers<7>, mask: u32) {
    r.swap(X2, X3, mask);
    r.swap(Z2, Z3, mask);
}

/// Doubles point 2 and adds it to point 3, whose difference is point 1.
///
/// # Source
/// RFC 7748, section 5, the body of the loop, with `a24` = 121666 (so that BB + a24 E is
/// the same as AA + 121665 E).
#[inline(never)]
fn ladder_step(r: &mut Registers<7>) {
    r.sub(T0, X3, Z3);
    r.sub(T1, X2, Z2);
    r.add(X2, X2, Z2);
    r.add(Z2, X3, Z3);
    r.mul(Z3, T0, X2);
    r.mul(Z2, Z2, T1);
    r.square(T0, T1, 1);
    r.square(T1, X2, 1);
    r.add(X3, Z3, Z2);
    r.sub(Z2, Z3, Z2);
    r.mul(X2, T1, T0);
    r.sub(T1, T1, T0);
    r.square(Z2, Z2, 1);
    r.mul_121666(Z3, T1);
    r.square(X3, X3, 1);
    r.add(T0, T0, Z3);
    r.mul(Z3, X1, Z2);
    r.mul(Z2, T1, T0);
}
