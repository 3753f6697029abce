//! The protocol that a device asks for by ALPN: `wasmbed/MAJOR` or `wasmbed/MAJOR-RECORD`.
//!
//! Which majors are spoken is `wire`'s business, and what a record class does to TLS is `tls`'s.

use crate::limits;

#[cfg(test)]
mod tests;

/// The major version of the protocol that this gateway speaks.
pub(crate) const MAJOR: u32 = 1;

/// One ALPN name of the wasmbed family.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Protocol {
    /// The name as it was offered, to be answered byte for byte.
    pub(crate) name: Vec<u8>,
    pub(crate) major: u32,
    /// Bytes of the longest record on the wire, header included.
    pub(crate) record_bytes: Option<u16>,
}

impl Protocol {
    /// Reads one name; `None` if it is not of the family.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let rest = name.strip_prefix(b"wasmbed/")?;
        let mut parts = rest.splitn(2, |byte| *byte == b'-');
        let major = decimal(parts.next()?)?;
        let record_bytes = match parts.next() {
            None => None,
            Some(digits) => {
                let bytes = u16::try_from(decimal(digits)?).ok()?;
                if !(limits::RECORD_BYTES_MIN..=limits::RECORD_BYTES_MAX).contains(&bytes) {
                    return None;
                }
                Some(bytes)
            }
        };
        Some(Self { name: name.to_vec(), major, record_bytes })
    }

    /// Whether a session can follow; if not, the peer is told what is spoken here.
    pub(crate) fn is_spoken(&self) -> bool {
        self.major == MAJOR
    }
}

/// Chooses among the names that a device offers: the first one that is spoken here, else the
/// first one of the family.
pub(crate) fn choose<'a>(offered: impl Iterator<Item = &'a [u8]>) -> Option<Protocol> {
    let mut unspoken = None;
    for protocol in offered.take(limits::ALPN_NAMES_MAX).filter_map(Protocol::parse) {
        if protocol.is_spoken() {
            return Some(protocol);
        }
        unspoken.get_or_insert(protocol);
    }
    unspoken
}

/// A number without sign, leading zero or space, of at most nine digits.
fn decimal(digits: &[u8]) -> Option<u32> {
    let canonical = matches!(digits, [b'1'..=b'9', ..]) && digits.len() <= 9;
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
