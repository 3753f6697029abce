//! Certificates built byte by byte, so that each part can be wrong.

use ed25519_oracle::{Signer, SigningKey};

use crate::fleet::NAME;
use crate::server::GATEWAY;

/// A DER element.
pub fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..=0x7f => vec![short as u8],
        long @ 0x80..=0xff => vec![0x81, long as u8],
        longer => vec![0x82, (longer >> 8) as u8, longer as u8],
    };
    [&[tag][..], &length, body].concat()
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// An extension; `id` is the last byte of 2.5.29.x.
pub fn extension(id: u8, is_critical: bool, body: &[u8]) -> Vec<u8> {
    let critical = if is_critical { element(1, &[0xff]) } else { Vec::new() };
    sequence(&[element(6, &[0x55, 0x1d, id]), critical, element(4, body)])
}

/// Subject alternative names, each a tag and its content.
pub fn names(list: &[(u8, &[u8])]) -> Vec<u8> {
    let list: Vec<_> = list.iter().map(|(tag, body)| element(*tag, body)).collect();
    extension(17, false, &sequence(&list))
}

/// Extended key usage; each purpose is the last byte of 1.3.6.1.5.5.7.3.x.
pub fn purposes(list: &[u8]) -> Vec<u8> {
    let list: Vec<_> =
        list.iter().map(|last| element(6, &[0x2b, 6, 1, 5, 5, 7, 3, *last])).collect();
    extension(37, false, &sequence(&list))
}

/// The parts of a certificate.
pub struct LeafSpec {
    pub version: Vec<u8>,
    pub serial: Vec<u8>,
    pub inner_algorithm: Vec<u8>,
    pub outer_algorithm: Vec<u8>,
    pub not_before: Vec<u8>,
    pub not_after: Vec<u8>,
    pub key_info: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    pub trailing: Vec<u8>,
}

impl LeafSpec {
    pub fn honest() -> Self {
        let algorithm = sequence(&[element(6, &[0x2b, 0x65, 0x70])]);
        let key = SigningKey::from_bytes(&GATEWAY).verifying_key();
        let key_bits = element(3, &[&[0][..], key.as_bytes()].concat());
        Self {
            version: element(0xa0, &element(2, &[2])),
            serial: element(2, &[0x11, 0x22]),
            inner_algorithm: algorithm.clone(),
            outer_algorithm: algorithm.clone(),
            not_before: element(0x17, b"250101000000Z"),
            not_after: element(0x17, b"491231235959Z"),
            key_info: sequence(&[algorithm, key_bits]),
            extensions: vec![names(&[(0x82, NAME.as_bytes())]), purposes(&[1])],
            trailing: Vec::new(),
        }
    }

    /// An honest leaf, changed.
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut spec = Self::honest();
        change(&mut spec);
        spec
    }

    pub fn signed_by(&self, seed: &[u8; 32]) -> Vec<u8> {
        let common_name = |name: &[u8]| {
            let pair = sequence(&[element(6, &[0x55, 4, 3]), element(0x0c, name)]);
            sequence(&[element(0x31, &pair)])
        };
        let body = sequence(&[
            self.version.clone(),
            self.serial.clone(),
            self.inner_algorithm.clone(),
            common_name(b"fleet"),
            sequence(&[self.not_before.clone(), self.not_after.clone()]),
            common_name(b"gateway"),
            self.key_info.clone(),
            element(0xa3, &sequence(&self.extensions)),
        ]);
        let signature = SigningKey::from_bytes(seed).sign(&body).to_bytes();
        let bits = element(3, &[&[0][..], &signature].concat());
        [sequence(&[body, self.outer_algorithm.clone(), bits]), self.trailing.clone()].concat()
    }
}
