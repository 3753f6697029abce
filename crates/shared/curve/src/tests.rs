//! What the tests of this crate share: counting, and reading hexadecimal.

use crate::comb::COMB;
use crate::edwards::base_multiple;

/// Prints how many cases a test tried, in the form that the test runner adds up.
pub(crate) fn count(cases: usize) {
    println!("\ncases: {cases}");
}

/// Bytes from hexadecimal digits; white space between them is skipped.
#[track_caller]
pub(crate) fn hex<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().expect("as many bytes as asked for")
}

/// Bytes from hexadecimal digits; white space between them is skipped.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn every_entry_of_the_comb_is_the_sum_it_stands_for() {
    for index in 0..16_u8 {
        // One column of the comb alone picks one entry; the oracle multiplies by the same scalar.
        let mut scalar = [0; 32];
        for tooth in 0..4 {
            scalar[8 * tooth] = index >> tooth & 1;
        }
        let mut ours = [0; 32];
        base_multiple(&scalar, &mut ours);
        let oracle = curve25519_dalek::EdwardsPoint::mul_base(
            &curve25519_dalek::Scalar::from_bytes_mod_order(scalar),
        );
        assert_eq!(ours, oracle.compress().0, "entry {index}");
    }
    count(COMB.len());
}
