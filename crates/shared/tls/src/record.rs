//! Records: their header, sealing and opening their content in place.

use crate::cipher::{Cipher, TAG_BYTES};
use crate::error::Error;
use crate::limits::{HEADER_BYTES, RECORD_BYTES_MAX, SEAL_BYTES};
use crate::schedule::TrafficKeys;

/// Content types.
///
/// # Source
/// RFC 8446, section 5.1.
pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// The type and the body length that a record header states.
///
/// Stricter than RFC 8446, section 5.1, in one point: the version must be 0x0303, although it means
/// nothing, so that a peer which speaks something else is found out at its first five bytes.
///
/// # Errors
/// [`Error::UnexpectedMessage`] for an unknown type, [`Error::ProtocolVersion`],
/// [`Error::RecordOverflow`] above [`RECORD_BYTES_MAX`].
pub(crate) fn parse_header(header: [u8; HEADER_BYTES]) -> Result<(u8, usize), Error> {
    let [kind, major, minor, high, low] = header;
    if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) {
        return Err(Error::UnexpectedMessage);
    }
    if (major, minor) != (3, 3) {
        return Err(Error::ProtocolVersion);
    }
    let body_bytes = usize::from(u16::from_be_bytes([high, low]));
    if body_bytes > RECORD_BYTES_MAX - HEADER_BYTES {
        return Err(Error::RecordOverflow);
    }
    Ok((kind, body_bytes))
}

/// The header of a record.
pub(crate) const fn header(kind: u8, body_bytes: usize) -> [u8; HEADER_BYTES] {
    let [high, low] = (body_bytes as u16).to_be_bytes();
    [kind, 3, 3, high, low]
}

/// Makes a whole record, encrypted once there are keys, of `record`, which holds `content_bytes` bytes of
/// content behind the place of its header. Its length, or 0 if `record` is too short.
#[inline(never)]
pub(crate) fn seal(
    record: &mut [u8],
    kind: u8,
    content_bytes: usize,
    keys: &mut TrafficKeys,
) -> usize {
    let Some((head, body)) = record.split_first_chunk_mut::<HEADER_BYTES>() else { return 0 };
    if !keys.is_set {
        *head = header(kind, content_bytes);
        return HEADER_BYTES + content_bytes;
    }
    let body_bytes = content_bytes + SEAL_BYTES;
    *head = header(APPLICATION_DATA, body_bytes);
    let Some((inner, tag)) =
        body.get_mut(..body_bytes).and_then(<[u8]>::split_last_chunk_mut::<TAG_BYTES>)
    else {
        return 0;
    };
    if let Some(last) = inner.last_mut() {
        *last = kind;
    }
    let nonce = keys.next_nonce();
    *tag = Cipher { key: &keys.key, nonce: &nonce }.seal(&*head, inner);
    HEADER_BYTES + body_bytes
}

/// Decrypts the body of `record` in place: the type and the length of its content, which lies behind
/// the header.
///
/// # Errors
/// [`Error::BadRecord`] if it does not decrypt, [`Error::UnexpectedMessage`] if it has no type.
#[inline(never)]
pub(crate) fn open(record: &mut [u8], keys: &mut TrafficKeys) -> Result<(u8, usize), Error> {
    let (head, body) = record.split_first_chunk_mut::<HEADER_BYTES>().ok_or(Error::BadRecord)?;
    let (inner, tag) = body.split_last_chunk_mut::<TAG_BYTES>().ok_or(Error::BadRecord)?;
    let nonce = keys.next_nonce();
    if !(Cipher { key: &keys.key, nonce: &nonce }).open(&*head, inner, tag) {
        return Err(Error::BadRecord);
    }
    // The type is the last byte that is not zero; zeros behind it are padding.
    let last = inner.iter().rposition(|byte| *byte != 0).ok_or(Error::UnexpectedMessage)?;
    let kind = inner.get(last).copied().ok_or(Error::UnexpectedMessage)?;
    Ok((kind, last))
}
