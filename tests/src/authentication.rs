//! Verifies who the two sides of a decrypted session proved to be.
//!
//! Written for these tests alone and on purpose without `tls`, `curve` or rustls, which it is to
//! check.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::tls_records::{FINISHED, Handshake, Session, Side};

/// Handshake types.
///
/// # Source
/// RFC 8446, section 4.
pub const CERTIFICATE: u8 = 11;
/// The signature over all that was said before it.
pub const CERTIFICATE_VERIFY: u8 = 15;
/// Signature scheme ed25519, and the length of its signatures.
///
/// # Source
/// RFC 8446, section 4.2.3.
pub const ED25519_SIGNATURE: [u8; 4] = [0x08, 0x07, 0, 64];
/// DER of an Ed25519 SubjectPublicKeyInfo up to the key itself.
///
/// # Source
/// RFC 8410, "Examples", section 10.1.
pub const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The key that the device has proved to hold, by a signature over this very handshake.
///
/// # Errors
/// What is missing or wrong.
pub fn device_key(session: &Session) -> Result<[u8; 32], String> {
    let entry = certificate_entry(&session.client)?;
    let key = entry.strip_prefix(&ED25519_SPKI_PREFIX).and_then(|key| key.try_into().ok());
    let key: [u8; 32] = key.ok_or("the device's certificate is no raw Ed25519 key")?;
    verify_handshake(session, &session.client, "client", &key)?;
    Ok(key)
}

/// Checks that the gateway proved to hold the key of its certificate, and that the fleet's
/// authority signed that. Answers the names in the certificate.
///
/// # Errors
/// What is missing or wrong.
pub fn gateway_names(session: &Session, authority: &[u8]) -> Result<String, String> {
    let entry = certificate_entry(&session.server)?;
    let leaf = certificate(entry)?;
    verify_handshake(session, &session.server, "server", &public_key(&leaf)?)?;
    let authority = public_key(&certificate(authority)?)?;
    let signature = leaf.signature_value.as_ref();
    verify(&authority, leaf.tbs_certificate.as_ref(), signature)
        .map_err(|why| format!("the gateway's certificate: {why}"))?;
    let names = leaf.subject_alternative_name().map_err(|why| why.to_string())?;
    let names = names.ok_or("the gateway's certificate has no name")?;
    Ok(names.value.general_names.iter().map(ToString::to_string).collect())
}

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    let (rest, found) = X509Certificate::from_der(der).map_err(|why| why.to_string())?;
    if rest.is_empty() { Ok(found) } else { Err("something follows a certificate".into()) }
}

fn public_key(certificate: &X509Certificate<'_>) -> Result<[u8; 32], String> {
    let key = certificate.public_key().subject_public_key.as_ref();
    key.try_into().map_err(|_| format!("a key of {} bytes", key.len()))
}

/// The only entry of a side's Certificate message.
///
/// # Source
/// RFC 8446, section 4.4.2: an empty context, the length of the list, the length of the entry, the
/// entry, no extensions.
fn certificate_entry(side: &Side) -> Result<&[u8], String> {
    let body = message(side, CERTIFICATE)?;
    let length = body.get(5..7).ok_or("a Certificate without an entry")?;
    let end = 7 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    if body.get(end..) != Some(&[0, 0]) {
        return Err("more than one certificate, or extensions".into());
    }
    Ok(&body[7..end])
}

fn message(side: &Side, kind: u8) -> Result<&[u8], String> {
    let found = side.handshake.iter().find(|(found, _)| *found == kind);
    found.map(|(_, body)| &body[..]).ok_or_else(|| format!("no handshake message {kind}"))
}

/// # Source
/// RFC 8446, section 4.4.3.
fn verify_handshake(
    session: &Session,
    side: &Side,
    name: &str,
    key: &[u8; 32],
) -> Result<(), String> {
    let verify_body = message(side, CERTIFICATE_VERIFY)?;
    let signature = verify_body.strip_prefix(&ED25519_SIGNATURE).ok_or("not Ed25519")?;
    message(side, FINISHED)?;
    let messages = session.transcript();
    let place = messages
        .iter()
        .position(|(kind, body)| *kind == CERTIFICATE_VERIFY && body == verify_body)
        .ok_or("no CertificateVerify")?;
    let mut signed = vec![0x20; 64];
    signed.extend(format!("TLS 1.3, {name} CertificateVerify\0").bytes());
    signed.extend(transcript_hash(&messages[..place]));
    verify(key, &signed, signature).map_err(|why| format!("CertificateVerify of the {name}: {why}"))
}

fn transcript_hash(messages: &[&Handshake]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (kind, body) in messages {
        let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
        hash.update([*kind, high, middle, low]);
        hash.update(body);
    }
    hash.finalize().into()
}

fn verify(key: &[u8; 32], signed: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = VerifyingKey::from_bytes(key).map_err(|why| why.to_string())?;
    let signature = Signature::from_slice(signature).map_err(|why| why.to_string())?;
    key.verify_strict(signed, &signature).map_err(|why| why.to_string())
}
