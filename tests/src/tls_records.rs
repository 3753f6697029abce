//! Takes a TLS 1.3 connection of a capture apart, with the secrets of a key log.
//!
//! Written for these tests alone and on purpose without `tls` or rustls, which it is to check. Only
//! what a device and its gateway agree on: ChaCha20-Poly1305 and SHA-256.

use std::collections::HashMap;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::capture::{Connection, Stream};

const HEADER_BYTES: usize = 5;
const TAG_BYTES: usize = 16;
/// Content types.
///
/// # Source
/// RFC 8446, section 5.1.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Handshake type of Finished, after which a side changes its keys.
///
/// # Source
/// RFC 8446, section 4.
pub const FINISHED: u8 = 20;

/// A handshake message: its type, and what follows its length.
pub type Handshake = (u8, Vec<u8>);

/// What one side said.
#[derive(Debug, Default)]
pub struct Side {
    /// ClientHello or ServerHello, the only message in the clear.
    pub hello: Handshake,
    /// Its other handshake messages.
    pub handshake: Vec<Handshake>,
    /// Application data by record, each with the number of the frame that completed it.
    pub data: Vec<(usize, Vec<u8>)>,
    /// Level and description of each alert.
    pub alerts: Vec<Vec<u8>>,
    /// Bytes of each record on the wire, header included.
    pub record_bytes: Vec<usize>,
    /// Bytes at the end that are no whole record.
    pub rest_bytes: usize,
}

/// A decrypted connection.
#[derive(Debug)]
pub struct Session {
    /// The device.
    pub client: Side,
    /// The gateway.
    pub server: Side,
}

impl Session {
    /// The handshake messages in the order of the transcript: hellos, gateway's, device's.
    pub fn transcript(&self) -> Vec<&Handshake> {
        let hellos = [&self.client.hello, &self.server.hello];
        hellos.into_iter().chain(&self.server.handshake).chain(&self.client.handshake).collect()
    }
}

/// Secrets by label and client random.
#[derive(Debug, Default)]
pub struct KeyLog(HashMap<(String, String), Vec<u8>>);

/// Key and nonces of one direction.
struct TrafficKeys {
    cipher: ChaCha20Poly1305,
    iv: [u8; 12],
    sequence: u64,
}

impl KeyLog {
    /// Reads a key log.
    ///
    /// # Errors
    /// The line that is not one of a key log.
    ///
    /// # Source
    /// RFC 9850, "SSLKEYLOGFILE Format".
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut secrets = HashMap::new();
        for line in text.lines() {
            let [label, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(format!("not a line of a key log: {line:?}"));
            };
            let secret = from_hex(secret).ok_or_else(|| format!("not hex: {line:?}"))?;
            secrets.insert((label.to_owned(), random.to_owned()), secret);
        }
        Ok(Self(secrets))
    }

    fn keys(&self, label: &str, random: &str) -> Result<TrafficKeys, String> {
        let found = self.0.get(&(label.to_owned(), random.to_owned()));
        let secret = found.ok_or_else(|| format!("no {label} for client random {random}"))?;
        let iv = expand_label(secret, b"iv", 12);
        Ok(TrafficKeys {
            cipher: ChaCha20Poly1305::new(&expand_label(secret, b"key", 32).into()),
            iv: std::array::from_fn(|index| iv[index]),
            sequence: 0,
        })
    }
}

impl TrafficKeys {
    /// Type and content of an encrypted record, padding removed.
    fn open(&mut self, record: &[u8]) -> Result<(u8, Vec<u8>), String> {
        let (header, body) = record.split_at(HEADER_BYTES);
        let (content, tag) =
            body.split_last_chunk::<TAG_BYTES>().ok_or("a record without a tag")?;
        let mut nonce = self.iv;
        for (target, byte) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *target ^= byte;
        }
        self.sequence += 1;
        let mut content = content.to_vec();
        self.cipher
            .decrypt_inout_detached(
                &nonce.into(),
                header,
                content.as_mut_slice().into(),
                &(*tag).into(),
            )
            .map_err(|_| format!("encrypted record {} does not decrypt", self.sequence - 1))?;
        while content.last() == Some(&0) {
            content.pop();
        }
        let kind = content.pop().ok_or("a record without a type")?;
        Ok((kind, content))
    }
}

/// HKDF-Expand-Label with an empty context, for at most one block.
///
/// # Source
/// RFC 8446, section 7.1.
fn expand_label(secret: &[u8], label: &[u8], bytes: u8) -> [u8; 32] {
    let mut block = [0; 64];
    block[..secret.len()].copy_from_slice(secret);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    mac.update(&[0, bytes, 6 + label.len() as u8]);
    mac.update(b"tls13 ");
    mac.update(label);
    mac.update(&[0, 1]);
    mac.finalize().into_bytes().into()
}

/// Decrypts a connection: in the clear may only be the two hellos, and a ChangeCipherSpec each.
///
/// # Errors
/// A sentence that says what is not as it has to be.
pub fn decrypt(connection: &Connection, log: &KeyLog) -> Result<Session, String> {
    let first = records(&connection.sent.bytes).0;
    let hello = first.first().ok_or("the client sent no record")?;
    // Record header, handshake header and version come before the random.
    let random = hello.get(11..43).ok_or("a ClientHello without a random")?;
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let side = |stream: &Stream, name: &str| {
        let handshake = log.keys(&format!("{name}_HANDSHAKE_TRAFFIC_SECRET"), &random)?;
        let traffic = log.keys(&format!("{name}_TRAFFIC_SECRET_0"), &random)?;
        decrypt_side(stream, handshake, traffic).map_err(|why| format!("{name}: {why}"))
    };
    Ok(Session {
        client: side(&connection.sent, "CLIENT")?,
        server: side(&connection.received, "SERVER")?,
    })
}

fn decrypt_side(
    stream: &Stream,
    handshake: TrafficKeys,
    traffic: TrafficKeys,
) -> Result<Side, String> {
    let (records, rest_bytes) = records(&stream.bytes);
    let record_bytes = records.iter().map(|record| record.len()).collect();
    let mut side = Side { record_bytes, rest_bytes, ..Side::default() };
    let (mut keys, mut next_keys) = (handshake, Some(traffic));
    let mut pending = Vec::new();
    let mut end = 0;
    for (number, record) in records.into_iter().enumerate() {
        end += record.len();
        match (number, record[0], &record[HEADER_BYTES..]) {
            (0, HANDSHAKE, body) => side.hello = only_message(body)?,
            (1, CHANGE_CIPHER_SPEC, [1]) => {}
            (1.., APPLICATION_DATA, _) => {
                let (kind, content) = keys.open(record)?;
                match kind {
                    HANDSHAKE => {
                        pending.extend(content);
                        while let Some(message) = next_message(&mut pending) {
                            side.handshake.push(message);
                        }
                    }
                    APPLICATION_DATA => side.data.push((stream.frame_at(end), content)),
                    ALERT => side.alerts.push(content),
                    other => return Err(format!("record {number} holds type {other}")),
                }
            }
            (number, kind, _) => return Err(format!("record {number} in the clear, type {kind}")),
        }
        let is_finished = side.handshake.last().is_some_and(|(kind, _)| *kind == FINISHED);
        if is_finished && let Some(next) = next_keys.take() {
            keys = next;
        }
    }
    if pending.is_empty() { Ok(side) } else { Err("a handshake message is not whole".into()) }
}

/// The whole records of a stream, and how many bytes follow them.
fn records(mut bytes: &[u8]) -> (Vec<&[u8]>, usize) {
    let mut records = Vec::new();
    while let [_, _, _, high, low, ..] = bytes {
        let end = HEADER_BYTES + usize::from(u16::from_be_bytes([*high, *low]));
        let Some((record, rest)) = bytes.split_at_checked(end) else { break };
        records.push(record);
        bytes = rest;
    }
    (records, bytes.len())
}

/// Takes the first handshake message off, once it is whole.
fn next_message(pending: &mut Vec<u8>) -> Option<Handshake> {
    let [kind, high, middle, low, rest @ ..] = &pending[..] else { return None };
    let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
    let message = (*kind, rest.get(..length)?.to_vec());
    pending.drain(..4 + length);
    Some(message)
}

fn only_message(body: &[u8]) -> Result<Handshake, String> {
    let mut pending = body.to_vec();
    let message = next_message(&mut pending).ok_or("the hello is not whole")?;
    if pending.is_empty() { Ok(message) } else { Err("something follows the hello".into()) }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() != 64 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests;
