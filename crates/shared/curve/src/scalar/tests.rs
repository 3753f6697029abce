//! Scalar arithmetic against curve25519-dalek, extremes included.

use curve25519_dalek::Scalar;
use rand::{RngCore, SeedableRng, rngs::StdRng};

use super::{is_canonical, multiply_add, reduce};
use crate::tests::{count, hex};

fn check(wide: &[u8; 64]) {
    assert_eq!(reduce(wide), Scalar::from_bytes_mod_order_wide(wide).to_bytes(), "{wide:x?}");
}

#[test]
fn reduces_512_bits_as_dalek_does() {
    let mut rng = StdRng::seed_from_u64(8032);
    let mut wide = [0; 64];
    let extremes = [[0; 64], [0xff; 64], [0x80; 64], [1; 64]];
    for wide in extremes {
        check(&wide);
    }
    for _ in 0..2000 {
        rng.fill_bytes(&mut wide);
        check(&wide);
    }
    count(2000 + extremes.len());
}

#[test]
fn multiplies_and_adds_as_dalek_does() {
    let mut rng = StdRng::seed_from_u64(252);
    let mut cases = 0;
    let mut check = |a: [u8; 32], b: Scalar, c: Scalar| {
        let expected = Scalar::from_bytes_mod_order(a) * b + c;
        assert_eq!(multiply_add(&a, &b.to_bytes(), &c.to_bytes()), expected.to_bytes());
        cases += 1;
    };
    let largest = Scalar::ZERO - Scalar::ONE;
    for a in [[0; 32], [0xff; 32]] {
        for b in [Scalar::ZERO, Scalar::ONE, largest] {
            for c in [Scalar::ZERO, Scalar::ONE, largest] {
                check(a, b, c);
            }
        }
    }
    for _ in 0..1000 {
        let (mut a, mut b, mut c) = ([0; 32], [0; 32], [0; 32]);
        rng.fill_bytes(&mut a);
        rng.fill_bytes(&mut b);
        rng.fill_bytes(&mut c);
        check(a, Scalar::from_bytes_mod_order(b), Scalar::from_bytes_mod_order(c));
    }
    count(cases);
}

#[test]
fn only_numbers_below_the_order_are_canonical() {
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let mut number: [u8; 32] = hex(order);
    assert!(!is_canonical(&number));
    number[0] -= 1;
    assert!(is_canonical(&number));
    number[0] += 2;
    assert!(!is_canonical(&number));
    assert!(is_canonical(&[0; 32]));
    assert!(!is_canonical(&[0xff; 32]));
    count(5);
}
