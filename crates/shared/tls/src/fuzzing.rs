//! Properties that hold for any input: what fuzz targets and the mutation tests call.

use crate::certificate::Leaf;
use crate::client::{Client, Config, State};
use crate::limits::{BUFFER_BYTES, ENTROPY_BYTES};
use crate::{flight, hello};

/// Any bytes are a leaf for `name` or are refused; whether they are one.
pub fn parse_leaf(der: &[u8], name: &str) -> bool {
    Leaf::parse(der, name.as_bytes()).is_ok()
}

/// As [`parse_leaf`], and whether `authority` signed it as well.
pub fn believe_leaf(der: &[u8], name: &str, authority: &[u8; 32]) -> bool {
    Leaf::parse(der, name.as_bytes())
        .is_ok_and(|leaf| leaf.challenge(authority).verify(authority, leaf.signature).is_ok())
}

/// Any bytes are the body of each of the server's messages or are refused.
pub fn parse_messages(body: &[u8]) {
    let _ = hello::parse_server_hello(body);
    let _ = flight::parse_encrypted_extensions(body, &[b"wasmbed/1-512"]);
    let _ = flight::parse_certificate_request(body);
    let _ = flight::parse_certificate(body).is_ok_and(|leaf| parse_leaf(leaf, "gateway"));
    let _ = flight::parse_certificate_verify(body);
    let _ = flight::parse_finished(body);
}

/// Whatever a server without keys answers to a ClientHello, the session never opens, its buffer never
/// holds more than it can, and it comes to rest.
///
/// # Panics
/// If one of these does not hold.
pub fn answer_hello(entropy: &[u8; ENTROPY_BYTES], config: &Config<'_>, mut bytes: &[u8]) {
    let mut client = Client::new();
    client.start(entropy);
    loop {
        let taken = client.receive(bytes);
        bytes = bytes.get(taken..).unwrap_or(&[]);
        let queued = client.outgoing().len();
        assert!(queued <= BUFFER_BYTES);
        client.sent(queued);
        let worked = client.step(config, None);
        assert!(!matches!(client.state(), State::Open));
        assert!(client.plaintext().is_empty());
        if taken == 0 && !worked && queued == 0 {
            return;
        }
    }
}
