//! Lines written by hand.

use super::*;
use crate::capture::Stream;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![FRAME_SYNC, kind, 0, payload.len() as u8];
    bytes.extend(payload);
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes
}

/// Reads records of a way and bytes; what came of it, a line for each connection.
fn check(records: &[(u8, Vec<u8>)], others: usize, expected: &[(&str, &str)]) {
    let records: Vec<Vec<u8>> =
        records.iter().map(|(way, bytes)| [&[*way], &bytes[..]].concat()).collect();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let capture = read(&records).unwrap_or_else(|why| panic!("{why}"));
    let text = |stream: &Stream| String::from_utf8_lossy(&stream.bytes).into_owned();
    let found: Vec<(String, String)> =
        capture.connections.iter().map(|one| (text(&one.sent), text(&one.received))).collect();
    let expected: Vec<(String, String)> =
        expected.iter().map(|(sent, received)| ((*sent).into(), (*received).into())).collect();
    assert_eq!(found, expected);
    assert_eq!(capture.others, others);
}

fn opening() -> [(u8, Vec<u8>); 2] {
    let nonce = [7; 11];
    [(UP, [vec![0; 300], frame(SYNC, &nonce)].concat()), (DOWN, frame(ECHO, &nonce))]
}

#[test]
fn the_sum_is_the_known_one() {
    assert_eq!(crc(b"123456789"), 0xCBF4_3926);
}

#[test]
fn a_session_is_put_together_from_any_pieces() {
    let whole = [frame(SESSION, b"hello"), frame(CONSOLE, b"text"), frame(0x03, &[0, 9])].concat();
    for cut in 0..whole.len() {
        let (left, right) = whole.split_at(cut);
        let mut records = opening().to_vec();
        records.extend([(UP, left.to_vec()), (DOWN, frame(SESSION, b"answer"))]);
        records.push((UP, right.to_vec()));
        check(&records, 0, &[("hello", "answer")]);
    }
    println!("\ncases: {}", whole.len());
}

#[test]
fn a_new_opening_is_a_new_connection_and_what_was_meant_for_the_old_one_is_not_in_it() {
    let mut records = opening().to_vec();
    records.push((UP, frame(SESSION, b"first")));
    // Torn by a power cut; the zeros behind it end it.
    records.push((UP, frame(SESSION, b"torn")[..6].to_vec()));
    let [sync, echo] = opening();
    records.extend([sync, (DOWN, frame(SESSION, b"late")), echo]);
    records.push((UP, frame(SESSION, b"second")));
    check(&records, 5, &[("first", ""), ("second", "")]);
}

#[test]
fn what_is_no_frame_is_counted() {
    let mut damaged = frame(SESSION, b"damaged");
    damaged[5] ^= 1;
    let mut records = opening().to_vec();
    records.push((UP, [damaged, frame(SESSION, b"good")].concat()));
    check(&records, 4 + 7 + 4 - 1, &[("good", "")]);
}
