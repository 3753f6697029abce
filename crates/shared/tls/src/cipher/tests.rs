//! Against RFC 8439 and against a general implementation.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

use super::Cipher;

#[test]
fn a_block_is_that_of_the_standard() {
    // RFC 8439, section 2.3.2.
    let key: [u8; 32] = core::array::from_fn(|index| index as u8);
    let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
    let mut stream = [0; 16];
    Cipher { key: &key, nonce: &nonce }.block(1, &mut stream);
    let expected = [
        0xe4e7_f110,
        0x1559_3bd1,
        0x1fdd_0f50,
        0xc471_20a3,
        0xc7f4_d1c7,
        0x0368_c033,
        0x9aaa_2204,
        0x4e6c_d4c3,
        0x4664_82d2,
        0x09aa_9f07,
        0x05d7_c214,
        0xa202_8bd9,
        0xd19c_12b5,
        0xb94e_16de,
        0xe883_d0cb,
        0x4e3c_50a2,
    ];
    assert_eq!(stream, expected);
}

#[test]
fn every_length_is_sealed_and_opened_as_by_a_general_implementation() {
    let mut cases = 0;
    for bytes in 0..=512 {
        let fill = |factor: usize| move |index: usize| (index * factor + bytes) as u8;
        let key: [u8; 32] = core::array::from_fn(fill(7));
        let nonce: [u8; 12] = core::array::from_fn(fill(11));
        let head: Vec<u8> = (0..bytes % 21).map(fill(13)).collect();
        let content: Vec<u8> = (0..bytes).map(fill(3)).collect();
        let cipher = Cipher { key: &key, nonce: &nonce };
        let (mut own, mut other) = (content.clone(), content.clone());
        let tag = cipher.seal(&head, &mut own);
        let general = ChaCha20Poly1305::new(&key.into());
        let made = general.encrypt_inout_detached(&nonce.into(), &head, (&mut other[..]).into());
        assert_eq!((&own, tag), (&other, made.unwrap().into()), "{bytes}");
        let mut wrong = tag;
        wrong[bytes % 16] ^= 1 << (bytes % 8);
        assert!(!cipher.open(&head, &mut own, &wrong), "{bytes}");
        assert_eq!(own, other, "what is not believed stays");
        assert!(cipher.open(&head, &mut own, &tag), "{bytes}");
        assert_eq!(own, content);
        if let Some(byte) = own.first_mut() {
            *byte ^= 0x80;
            assert!(!cipher.open(&head, &mut own, &tag), "{bytes}");
        }
        cases += 1;
    }
    println!("\ncases: {cases}");
}
