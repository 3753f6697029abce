//! Names and digests: how they are written, and read back.

use sha2::{Digest as _, Sha256};
pub use wasmbed_wire::{AppId, Digest, PublicKey};

#[cfg(test)]
mod tests;

/// Characters of a device name after `d-`: 80 bits, so that nobody makes a second key for a name.
const DEVICE_NAME_CHARS: usize = 16;
/// RFC 4648 base32 in lower case.
const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// Name of the Device object that belongs to a public key.
///
/// `d-` and the first 16 base32 characters of the key's SHA-256.
pub fn device_name(key: &PublicKey) -> String {
    let hash = sha256(&key.0);
    let mut name = String::from("d-");
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    let mut bytes = hash.0.iter();
    while name.len() < 2 + DEVICE_NAME_CHARS {
        if bits < 5 {
            // 16 characters take the first 10 of the 32 bytes.
            buffer = (buffer << 8) | u32::from(bytes.next().copied().unwrap_or_default());
            bits += 8;
        }
        bits -= 5;
        let index = (buffer >> bits) & 31;
        name.push(BASE32.get(index as usize).copied().unwrap_or(b'a').into());
    }
    name
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The digest written as 64 hex characters, with or without `sha256:` before them.
pub fn parse_digest(text: &str) -> Option<Digest> {
    parse_hex(text.strip_prefix("sha256:").unwrap_or(text)).map(Digest)
}

/// The application id of an object's UID, as `01234567-89ab-cdef-0123-456789abcdef`.
pub fn parse_uid(text: &str) -> Option<AppId> {
    let groups_match = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    if !groups_match {
        return None;
    }
    parse_hex(&text.replace('-', "")).map(AppId)
}

/// The UID of an application id: the inverse of [`parse_uid`].
pub fn uid_text(id: &AppId) -> String {
    let hex = id.to_string();
    let mut text = String::with_capacity(36);
    for (index, char) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(char);
    }
    text
}

/// Lower-case hex of a fixed length.
fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = (nibble(high)? << 4) | nibble(low)?;
    }
    Some(bytes)
}

fn nibble(char: u8) -> Option<u8> {
    match char {
        b'0'..=b'9' => Some(char - b'0'),
        b'a'..=b'f' => Some(char - b'a' + 10),
        _ => None,
    }
}
