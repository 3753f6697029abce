//! Tests of opening TLS records with the secrets of a key log.

use super::*;

const RANDOM: &str = "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 8448, section 3, "{server} derive write traffic keys for handshake data".
#[test]
fn keys_follow_rfc_8448() {
    let secret =
        from_hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38").unwrap();
    assert_eq!(hex(&expand_label(&secret, b"key", 16)[..16]), "3fce516009c21727d0f2e4e86ee403bc");
    assert_eq!(hex(&expand_label(&secret, b"iv", 12)[..12]), "5d313eb2671276ee13000b30");
}

#[test]
fn a_key_log_is_read_and_anything_else_is_an_error() {
    let line = format!("CLIENT_TRAFFIC_SECRET_0 {RANDOM} {}", "0b".repeat(32));
    let log = KeyLog::parse(&line).unwrap();
    assert!(log.keys("CLIENT_TRAFFIC_SECRET_0", RANDOM).is_ok());
    assert!(log.keys("SERVER_TRAFFIC_SECRET_0", RANDOM).is_err());
    for wrong in ["A B", "A B C D", "A B 0g", &line[..line.len() - 1]] {
        assert!(KeyLog::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn records_and_messages_are_cut_where_they_say() {
    let stream = [22, 3, 3, 0, 2, 1, 2, 23, 3, 3, 0, 1, 9, 23, 3, 3, 0];
    let (found, rest) = records(&stream);
    assert_eq!(found, [&stream[..7], &stream[7..13]]);
    assert_eq!(rest, 4);

    let mut pending = vec![8, 0, 0, 1, 7, 20, 0, 0, 0, 11, 0, 0];
    assert_eq!(next_message(&mut pending), Some((8, vec![7])));
    assert_eq!(next_message(&mut pending), Some((20, vec![])));
    assert_eq!(next_message(&mut pending), None);
    assert_eq!(pending, [11, 0, 0]);
}

/// A record in the clear behind the hello is what the test of the wire must never let pass.
#[test]
fn a_record_in_the_clear_behind_the_hello_is_an_error() {
    let keys =
        || TrafficKeys { cipher: ChaCha20Poly1305::new(&[7; 32].into()), iv: [0; 12], sequence: 0 };
    let hello = [22, 3, 3, 0, 5, 1, 0, 0, 1, 9];
    let check = |records: &[u8], is_accepted: bool| {
        let stream = Stream { bytes: [&hello[..], records].concat(), ..Stream::default() };
        let result = decrypt_side(&stream, keys(), keys());
        assert_eq!(result.is_ok(), is_accepted, "{records:?}: {result:?}");
    };
    check(&[], true);
    check(&[20, 3, 3, 0, 1, 1], true);
    check(&[20, 3, 3, 0, 1, 1, 20, 3, 3, 0, 1, 1], false);
    check(&[21, 3, 3, 0, 2, 1, 0], false);
    check(&[22, 3, 3, 0, 4, 8, 0, 0, 0], false);
    check(&[23, 3, 3, 0, 4, 8, 0, 0, 0], false);
    check(&[[23, 3, 3, 0, 32].as_slice(), &[0; 32]].concat(), false);
}
