//! The key schedule against the trace of RFC 8448, section 3.

use sha2::{Digest, Sha256};

use super::{
    DERIVED_EARLY, EMPTY_HASH, Hash, TrafficKeys, derive, expand, finished, handshake_secret, hmac,
    master_secret, next_secret,
};

fn hex(text: &str) -> Hash {
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    hash
}

fn keys(secret: &Hash) -> TrafficKeys {
    let mut keys = TrafficKeys::new();
    keys.set(secret);
    keys
}

const HANDSHAKE: &str = "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac";
const MASTER: &str = "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919";
const HELLOS: &str = "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8";
const SERVER_HANDSHAKE: &str = "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";

#[test]
fn secrets_follow_rfc_8448() {
    let agreed = hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
    assert_eq!(handshake_secret(&agreed), hex(HANDSHAKE));
    assert_eq!(master_secret(&hex(HANDSHAKE)), hex(MASTER));
    let flight = "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13";
    let cases: [(&str, &[u8], &str, &str); 4] = [
        (
            HANDSHAKE,
            b"c hs traffic",
            HELLOS,
            "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
        ),
        (HANDSHAKE, b"s hs traffic", HELLOS, SERVER_HANDSHAKE),
        (
            MASTER,
            b"c ap traffic",
            flight,
            "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
        ),
        (
            MASTER,
            b"s ap traffic",
            flight,
            "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
        ),
    ];
    for (secret, label, transcript, derived) in cases {
        assert_eq!(derive(&hex(secret), label, &hex(transcript)), hex(derived));
    }
    println!("\ncases: {}", cases.len() + 2);
}

#[test]
fn keys_and_finished_follow_rfc_8448() {
    // The trace uses AES-128, whose keys are shorter; the length is a part of the label.
    let key = expand(&hex(SERVER_HANDSHAKE), b"key", &[], 16);
    assert_eq!(key[..16], hex("3fce516009c21727d0f2e4e86ee403bc")[..16]);
    let iv = "5d313eb2671276ee13000b30";
    assert_eq!(keys(&hex(SERVER_HANDSHAKE)).iv, hex(iv)[..12]);
    let key = expand(&hex(SERVER_HANDSHAKE), b"finished", &[], 32);
    assert_eq!(key, hex("008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8"));
    let until_verify = hex("edb7725fa7a3473b031ec8ef65a2485493900138a2b91291407d7951a06110ed");
    assert_eq!(
        finished(&hex(SERVER_HANDSHAKE), &until_verify),
        hex("9b9b141d906337fbd2cbdce71df4deda4ab42c309572cb7fffee5454b78f0718")
    );
}

#[test]
fn the_constants_are_what_they_stand_for() {
    assert_eq!(EMPTY_HASH[..], Sha256::digest(b"")[..]);
    let early = hmac(&[0; 32], &[&[0; 32]]);
    assert_eq!(DERIVED_EARLY, derive(&early, b"derived", &EMPTY_HASH));
}

#[test]
fn the_nonce_counts_in_its_last_eight_bytes() {
    let mut keys = keys(&[1; 32]);
    let iv = keys.iv;
    assert_eq!(keys.next_nonce(), iv);
    keys.sequence = 0x0102_0304_0506_0708;
    let nonce = keys.next_nonce();
    let count: Vec<u8> = nonce.iter().zip(iv).map(|(a, b)| a ^ b).collect();
    assert_eq!(count, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn an_update_gives_another_secret() {
    let first = [7; 32];
    assert_eq!(next_secret(&first), expand(&first, b"traffic upd", &[], 32));
    assert_ne!(next_secret(&first), next_secret(&next_secret(&first)));
}
