//! The messages between the two hellos and the data: what the server's say, what the client's hold.

use crate::bytes::Reader;
use crate::error::Error;
use crate::hello::{
    ALPN, CERTIFICATE, CERTIFICATE_VERIFY, CLIENT_CERTIFICATE_TYPE, ED25519, FINISHED,
    RAW_PUBLIC_KEY, SERVER_CERTIFICATE_TYPE, SERVER_NAME, SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS,
    X509, misplaced, next_extension, once,
};
use crate::schedule::Hash;

/// Reads EncryptedExtensions: the number of the protocol chosen from `protocols`, if there are any.
///
/// # Errors
/// [`Error::RawKeyRefused`] unless the server takes a raw public key,
/// [`Error::NoApplicationProtocol`] unless it chose a protocol that was offered.
///
/// # Source
/// RFC 8446, section 4.3.1; RFC 7250, section 4.2; RFC 7301, section 3.1.
#[inline(never)]
pub(crate) fn parse_encrypted_extensions(
    body: &[u8],
    protocols: &[&[u8]],
) -> Result<Option<u8>, Error> {
    let mut reader = Reader::new(body);
    let mut list = reader.vector16()?;
    reader.finish()?;
    let (mut protocol, mut client_type, mut server_type) = (None, None, None);
    let (mut name, mut groups) = (None, None);
    while !list.is_empty() {
        let (kind, mut extension) = next_extension(&mut list)?;
        match kind {
            SERVER_NAME => once(&mut name, ())?,
            SUPPORTED_GROUPS => {
                once(&mut groups, ())?;
                extension.vector16()?;
            }
            ALPN => {
                let mut names = extension.vector16()?;
                let chosen = names.vector8()?.rest();
                names.finish()?;
                let found = protocols.iter().position(|offered| *offered == chosen);
                once(&mut protocol, found.ok_or(Error::NoApplicationProtocol)? as u8)?;
            }
            CLIENT_CERTIFICATE_TYPE => once(&mut client_type, extension.u8()?)?,
            SERVER_CERTIFICATE_TYPE => once(&mut server_type, extension.u8()?)?,
            _ => return Err(misplaced(kind)),
        }
        extension.finish()?;
    }
    match client_type {
        Some(RAW_PUBLIC_KEY) => {}
        Some(_) => return Err(Error::IllegalParameter),
        None => return Err(Error::RawKeyRefused),
    }
    if server_type.is_some_and(|kind| kind != X509) {
        return Err(Error::IllegalParameter);
    }
    if protocol.is_none() && !protocols.is_empty() {
        return Err(Error::NoApplicationProtocol);
    }
    Ok(protocol)
}

/// Reads CertificateRequest, which has to ask for Ed25519.
///
/// # Errors
/// [`Error::NoClientAuthentication`] if it asks for other signatures only.
///
/// # Source
/// RFC 8446, section 4.3.2. Unknown extensions are passed over, as it demands.
#[inline(never)]
pub(crate) fn parse_certificate_request(body: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(body);
    let context = reader.vector8()?;
    let mut list = reader.vector16()?;
    reader.finish()?;
    if !context.is_empty() {
        return Err(Error::IllegalParameter);
    }
    let mut takes_ed25519 = None;
    while !list.is_empty() {
        let (kind, mut extension) = next_extension(&mut list)?;
        if kind == SIGNATURE_ALGORITHMS {
            let mut schemes = extension.vector16()?;
            extension.finish()?;
            let mut found = false;
            while !schemes.is_empty() {
                found |= schemes.u16()? == ED25519;
            }
            once(&mut takes_ed25519, found)?;
        }
    }
    match takes_ed25519 {
        Some(true) => Ok(()),
        Some(false) => Err(Error::NoClientAuthentication),
        None => Err(Error::MissingExtension),
    }
}

/// Reads Certificate: the one certificate in it.
///
/// # Errors
/// [`Error::BadCertificate`] if there are several: the pinned authority signs leaves directly.
///
/// # Source
/// RFC 8446, section 4.4.2.
pub(crate) fn parse_certificate(body: &[u8]) -> Result<&[u8], Error> {
    let mut reader = Reader::new(body);
    let context = reader.vector8()?;
    let mut list = reader.vector24()?;
    reader.finish()?;
    if !context.is_empty() {
        return Err(Error::IllegalParameter);
    }
    let leaf = list.vector24()?;
    let mut extensions = list.vector16()?;
    if leaf.is_empty() {
        return Err(Error::Decode);
    }
    if !list.is_empty() {
        return Err(Error::BadCertificate);
    }
    if !extensions.is_empty() {
        let (kind, _) = next_extension(&mut extensions)?;
        return Err(misplaced(kind));
    }
    Ok(leaf.rest())
}

/// Reads CertificateVerify: its Ed25519 signature.
///
/// # Source
/// RFC 8446, section 4.4.3.
pub(crate) fn parse_certificate_verify(body: &[u8]) -> Result<&[u8; 64], Error> {
    let mut reader = Reader::new(body);
    if reader.u16()? != ED25519 {
        return Err(Error::IllegalParameter);
    }
    let signature = reader.vector16()?;
    reader.finish()?;
    signature.rest().try_into().map_err(|_| Error::Decode)
}

/// What both sides' CertificateVerify signatures begin with, before the transcript's hash.
///
/// # Source
/// RFC 8446, section 4.4.3: 64 spaces, a context string, a zero.
pub(crate) const SERVER_CONTEXT: &[u8; 98] =
    b"                                                                TLS 1.3, server CertificateVerify\0";
/// As [`SERVER_CONTEXT`], for the client.
pub(crate) const CLIENT_CONTEXT: &[u8; 98] =
    b"                                                                TLS 1.3, client CertificateVerify\0";

/// What comes before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo.
///
/// # Source
/// RFC 8410, section 4.
pub(crate) const PUBLIC_KEY_INFO: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A client Certificate message up to the key: header, empty context, one raw public key.
pub(crate) const CERTIFICATE_HEAD: [u8; 11] = [CERTIFICATE, 0, 0, 53, 0, 0, 0, 49, 0, 0, 44];
/// A client CertificateVerify message up to the signature.
pub(crate) const VERIFY_HEAD: [u8; 8] = [CERTIFICATE_VERIFY, 0, 0, 68, 8, 7, 0, 64];
/// A Finished message up to its MAC.
pub(crate) const FINISHED_HEAD: [u8; 4] = [FINISHED, 0, 0, 32];

/// Reads Finished: its MAC.
pub(crate) fn parse_finished(body: &[u8]) -> Result<&Hash, Error> {
    body.try_into().map_err(|_| Error::Decode)
}
