//! Tests of reading a capture.

use super::*;

const CLIENT: Endpoint = ([10, 0, 0, 2], 5000);
const SERVER: Endpoint = ([10, 0, 0, 1], 4433);

fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = PCAP_MAGIC_MICROSECONDS.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 1, 0, 0, 0]);
    for frame in frames {
        let length = (frame.len() as u32).to_le_bytes();
        file.extend([[0; 4], [0; 4], length, length].concat());
        file.extend(frame);
    }
    file
}

fn frame(source: Endpoint, target: Endpoint, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0x00]);
    frame.extend((40 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, PROTOCOL_TCP, 0, 0]);
    frame.extend([source.0, target.0].concat());
    frame.extend([source.1.to_be_bytes(), target.1.to_be_bytes()].concat());
    frame.extend([sequence.to_be_bytes(), [0; 4]].concat());
    frame.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}

fn opening() -> Vec<Vec<u8>> {
    vec![
        frame(CLIENT, SERVER, 99, FLAG_SYN, &[]),
        frame(SERVER, CLIENT, 499, FLAG_SYN | FLAG_ACK, &[]),
    ]
}

/// The client's bytes, and the number of the frame that brought the last of them.
fn check(pieces: &[(u32, &[u8])], expected: &[u8], last: usize) {
    let mut frames = opening();
    for (sequence, payload) in pieces {
        frames.push(frame(CLIENT, SERVER, *sequence, FLAG_ACK, payload));
    }
    let capture = parse(&file(&frames)).unwrap();
    assert_eq!(capture.connections.len(), 1, "{pieces:?}");
    let sent = &capture.connections[0].sent;
    assert_eq!(sent.bytes, expected, "{pieces:?}");
    assert_eq!(sent.frame_at(expected.len()), last, "{pieces:?}");
}

#[test]
fn a_stream_holds_each_byte_once_and_in_order() {
    check(&[(100, b"ab"), (102, b"cd")], b"abcd", 3);
    check(&[(102, b"cd"), (100, b"ab")], b"abcd", 3);
    check(&[(100, b"ab"), (100, b"ab"), (102, b"c")], b"abc", 4);
    check(&[(100, b"ab"), (101, b"bc")], b"abc", 3);
    check(&[(104, b"e"), (102, b"cd"), (100, b"ab"), (100, b"ab")], b"abcde", 4);
    check(&[(100, b"ab"), (101, b"\0"), (102, b"c")], b"abc", 4);
    check(&[(99, b"\0"), (100, b"ab")], b"ab", 3);
}

#[test]
fn both_sides_are_kept_apart_and_a_gap_is_seen() {
    let mut frames = opening();
    frames.push(frame(CLIENT, SERVER, 100, FLAG_ACK, b"ask"));
    frames.push(frame(SERVER, CLIENT, 505, FLAG_ACK, b"late"));
    let capture = parse(&file(&frames)).unwrap();
    let connection = &capture.connections[0];
    assert_eq!((connection.client, connection.server), (CLIENT, SERVER));
    assert_eq!(connection.sent.bytes, b"ask");
    assert!(!connection.sent.has_gap() && connection.received.has_gap());
}

#[test]
fn what_is_not_such_a_capture_is_an_error() {
    let mut frames = opening();
    frames.push(frame(CLIENT, SERVER, 100, FLAG_ACK, b"ab"));
    let whole = file(&frames);
    for bytes in 0..whole.len() {
        let is_boundary = parse(&whole[..bytes]).is_ok();
        let ends: [usize; 3] = [24, 24 + 70, 24 + 140];
        assert_eq!(is_boundary, ends.contains(&bytes), "{bytes} of {} bytes", whole.len());
    }
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 0xFF;
        let _ = parse(&bent);
    }
}
