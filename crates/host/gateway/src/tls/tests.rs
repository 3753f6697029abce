//! What is read out of a raw public key.

use super::{ED25519_SPKI_PREFIX, ed25519_public_key};

#[test]
fn only_an_ed25519_key_in_its_one_encoding_is_taken() {
    let mut spki = ED25519_SPKI_PREFIX.to_vec();
    spki.extend([7; 32]);
    assert_eq!(ed25519_public_key(&spki).map(|key| key.0), Some([7; 32]));
    let mut refused_count = 0;
    for index in 0..ED25519_SPKI_PREFIX.len() {
        let mut wrong = spki.clone();
        wrong[index] ^= 1;
        assert_eq!(ed25519_public_key(&wrong), None, "byte {index} changed");
        refused_count += 1;
    }
    for length in 0..spki.len() {
        assert_eq!(ed25519_public_key(&spki[..length]), None, "cut to {length}");
        refused_count += 1;
    }
    spki.push(0);
    assert_eq!(ed25519_public_key(&spki), None, "a byte too many");
    println!("\ncases: {}\n", refused_count + 2);
}
