//! What can only be seen from inside: secrets are gone when a session is.

use super::{Client, Config, State};
use crate::limits::BUFFER_BYTES;
use wasmbed_curve::ed25519::Key;

fn check_wiped(client: &Client) {
    let session = &client.session;
    assert_eq!((session.client, session.server, session.master), ([0; 32], [0; 32], [0; 32]));
    assert_eq!((session.read.key, session.write.key), ([0; 32], [0; 32]));
    assert!(!session.read.is_set && !session.write.is_set && session.transcript.is_none());
}

#[test]
fn closing_wipes_the_secrets_in_every_state() {
    let mut client = Client::new();
    client.close();
    check_wiped(&client);
    client.start(&[7; 64]);
    assert_eq!(client.session.client, [7; 32]);
    client.close();
    check_wiped(&client);

    let key = Key::from_seed(&[1; 32]);
    let config = Config { key: &key, pins: &[], server_name: "gateway", alpn: &[] };
    client.start(&[7; 64]);
    assert!(client.step(&config, None));
    client.receive(b"SSH-2.0-OpenSSH");
    assert!(matches!(client.state(), State::Closed(_)));
    check_wiped(&client);
}

#[test]
fn starting_wipes_what_the_last_session_left_in_the_buffer() {
    let mut client = Client::new();
    client.buffer = [0xaa; BUFFER_BYTES];
    client.start(&[7; 64]);
    assert_eq!(client.buffer, [0; BUFFER_BYTES]);
    assert!(client.outgoing().is_empty() && client.plaintext().is_empty());
}

#[test]
fn a_client_stays_within_its_memory() {
    // 32-bit boards have smaller references and lengths, so this is an upper bound for them. The
    // key log of tests comes on top.
    let log_bytes = if cfg!(feature = "keylog") { 164 } else { 0 };
    let bytes = size_of::<Client>() - log_bytes;
    assert!(bytes <= 1_300, "{bytes}");
}
