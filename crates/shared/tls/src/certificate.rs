//! The server's certificate: one strict DER structure, one purpose, one name. No chains.

use wasmbed_curve::ed25519::Challenge;

use crate::bytes::Reader;
use crate::error::Error;
use crate::flight::PUBLIC_KEY_INFO;
use crate::hello::once;
use crate::limits::SERIAL_BYTES_MAX;

mod time;

/// When a certificate may be used, both ends included.
///
/// # Units
/// Seconds since 1970-01-01 00:00 UTC; a beginning before that counts as that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first valid second.
    pub not_before: u64,
    /// The last valid second.
    pub not_after: u64,
}

impl Validity {
    /// Whether the certificate may be used at `now_unix`.
    ///
    /// # Errors
    /// [`Error::NotYetValid`] or [`Error::Expired`].
    pub const fn check(&self, now_unix: u64) -> Result<(), Error> {
        if now_unix < self.not_before {
            Err(Error::NotYetValid)
        } else if now_unix > self.not_after {
            Err(Error::Expired)
        } else {
            Ok(())
        }
    }
}

/// What a leaf says, and what its authority signed.
pub(crate) struct Leaf<'a> {
    signed: &'a [u8],
    pub(crate) signature: &'a [u8; 64],
    pub(crate) key: &'a [u8; 32],
    pub(crate) validity: Validity,
}

// DER tags of what a certificate holds.
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;

/// AlgorithmIdentifier of Ed25519.
///
/// # Source
/// RFC 8410, section 3.
const ED25519_ALGORITHM: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// Extensions that this parser knows, as the bytes of their object identifiers.
///
/// # Source
/// RFC 5280, sections 4.2.1.3, 4.2.1.6, 4.2.1.9 and 4.2.1.12.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// The body of an extended key usage that allows TLS servers and nothing else.
const SERVER_AUTH_ONLY: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// Bits of a key usage, in its first byte.
const DIGITAL_SIGNATURE: u8 = 0x80;
const CERTIFICATE_SIGNING: u8 = 0x04;

impl<'a> Leaf<'a> {
    /// Reads a leaf for the server `name`. Its signature is still to be checked.
    ///
    /// # Errors
    /// [`Error::BadCertificate`] if it is not strict DER, [`Error::UnsupportedCertificate`] if its
    /// kind or purpose is another, [`Error::WrongName`].
    ///
    /// # Source
    /// RFC 5280, section 4.1, narrowed: version 3, Ed25519 twice, exactly one dNSName, purpose
    /// exactly serverAuth, not an authority, no critical extension that is unknown here.
    #[inline(never)]
    pub(crate) fn parse(der: &'a [u8], name: &[u8]) -> Result<Self, Error> {
        let mut outer = Reader::new(der);
        let mut certificate = value(&mut outer, SEQUENCE)?;
        outer.finish().map_err(|_| Error::BadCertificate)?;
        let whole = certificate.rest();
        let mut body = value(&mut certificate, SEQUENCE)?;
        let signed_bytes = whole.len() - certificate.rest().len();
        let signed = whole.get(..signed_bytes).ok_or(Error::BadCertificate)?;
        expect_ed25519(&mut certificate)?;
        let signature = bit_string(&mut certificate)?;
        certificate.finish().map_err(|_| Error::BadCertificate)?;
        let signature = signature.try_into().map_err(|_| Error::BadCertificate)?;

        parse_version_and_serial(&mut body)?;
        expect_ed25519(&mut body)?;
        value(&mut body, SEQUENCE)?;
        let mut period = value(&mut body, SEQUENCE)?;
        let validity = Validity {
            not_before: time::parse(&mut period)?,
            not_after: time::parse(&mut period)?,
        };
        period.finish().map_err(|_| Error::BadCertificate)?;
        value(&mut body, SEQUENCE)?;
        let key = parse_key(&mut body)?;
        let mut extensions = value(&mut body, EXTENSIONS)?;
        body.finish().map_err(|_| Error::BadCertificate)?;
        let list = value(&mut extensions, SEQUENCE)?;
        extensions.finish().map_err(|_| Error::BadCertificate)?;
        check_extensions(list, name)?;
        Ok(Self { signed, signature, key, validity })
    }

    /// What the signature of an authority has to answer. Whoever checks it needs the stack.
    #[inline(never)]
    pub(crate) fn challenge(&self, authority: &[u8; 32]) -> Challenge {
        Challenge::new(authority, &[self.signed], self.signature)
    }
}

fn parse_version_and_serial(body: &mut Reader<'_>) -> Result<(), Error> {
    let mut version = value(body, VERSION)?;
    if value(&mut version, INTEGER)?.rest() != [2] || !version.is_empty() {
        return Err(Error::UnsupportedCertificate);
    }
    match value(body, INTEGER)?.rest() {
        // Positive, and not longer than it must be.
        [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => Err(Error::BadCertificate),
        serial if serial.len() > SERIAL_BYTES_MAX => Err(Error::BadCertificate),
        _ => Ok(()),
    }
}

fn parse_key<'a>(body: &mut Reader<'a>) -> Result<&'a [u8; 32], Error> {
    let info = body.take(PUBLIC_KEY_INFO.len()).map_err(|_| Error::BadCertificate)?;
    if info != PUBLIC_KEY_INFO {
        return Err(Error::UnsupportedCertificate);
    }
    body.array().map_err(|_| Error::BadCertificate)
}

/// Checks every extension, and that none of the two that matter is missing.
fn check_extensions(mut list: Reader<'_>, name: &[u8]) -> Result<(), Error> {
    let (mut purpose, mut names) = (None, None);
    let (mut usage, mut constraints) = (None, None);
    while !list.is_empty() {
        let mut extension = value(&mut list, SEQUENCE)?;
        let identifier = value(&mut extension, OBJECT_IDENTIFIER)?.rest();
        let is_critical = parse_critical(&mut extension)?;
        let body = value(&mut extension, OCTET_STRING)?;
        extension.finish().map_err(|_| Error::BadCertificate)?;
        let first = match identifier {
            EXTENDED_KEY_USAGE => once(&mut purpose, check_purpose(body)?),
            SUBJECT_ALT_NAME => once(&mut names, check_name(body, name)?),
            KEY_USAGE => once(&mut usage, check_usage(body)?),
            BASIC_CONSTRAINTS => once(&mut constraints, check_constraints(body)?),
            _ if is_critical => return Err(Error::UnsupportedCertificate),
            _ => Ok(()),
        };
        first.map_err(|_| Error::BadCertificate)?;
    }
    purpose.ok_or(Error::UnsupportedCertificate)?;
    names.ok_or(Error::WrongName)
}

/// Whether an extension is critical: DER writes TRUE or nothing.
fn parse_critical(extension: &mut Reader<'_>) -> Result<bool, Error> {
    if extension.rest().first() != Some(&BOOLEAN) {
        return Ok(false);
    }
    if value(extension, BOOLEAN)?.rest() == [0xff] { Ok(true) } else { Err(Error::BadCertificate) }
}

fn check_purpose(mut body: Reader<'_>) -> Result<(), Error> {
    let purposes = value(&mut body, SEQUENCE)?;
    body.finish().map_err(|_| Error::BadCertificate)?;
    if purposes.rest() == SERVER_AUTH_ONLY { Ok(()) } else { Err(Error::UnsupportedCertificate) }
}

fn check_name(mut body: Reader<'_>, name: &[u8]) -> Result<(), Error> {
    let mut names = value(&mut body, SEQUENCE)?;
    body.finish().map_err(|_| Error::BadCertificate)?;
    let (tag, found) = any_value(&mut names)?;
    if tag == DNS_NAME && names.is_empty() && found.rest() == name {
        Ok(())
    } else {
        Err(Error::WrongName)
    }
}

fn check_usage(mut body: Reader<'_>) -> Result<(), Error> {
    let bits = value(&mut body, BIT_STRING)?;
    body.finish().map_err(|_| Error::BadCertificate)?;
    match bits.rest() {
        [0..=7, first, ..] if first & DIGITAL_SIGNATURE == 0 => Err(Error::UnsupportedCertificate),
        [0..=7, first, ..] if first & CERTIFICATE_SIGNING != 0 => {
            Err(Error::UnsupportedCertificate)
        }
        [0..=7, _] | [0..=7, _, _] => Ok(()),
        _ => Err(Error::BadCertificate),
    }
}

/// Takes only the empty sequence, which says "not an authority".
fn check_constraints(mut body: Reader<'_>) -> Result<(), Error> {
    let constraints = value(&mut body, SEQUENCE)?;
    body.finish().map_err(|_| Error::BadCertificate)?;
    if constraints.is_empty() { Ok(()) } else { Err(Error::UnsupportedCertificate) }
}

fn expect_ed25519(reader: &mut Reader<'_>) -> Result<(), Error> {
    let algorithm = value(reader, SEQUENCE)?;
    if algorithm.rest() == ED25519_ALGORITHM { Ok(()) } else { Err(Error::UnsupportedCertificate) }
}

/// The bytes of a bit string that has a whole number of them.
fn bit_string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    match value(reader, BIT_STRING)?.rest() {
        [0, bytes @ ..] => Ok(bytes),
        _ => Err(Error::BadCertificate),
    }
}

/// The value of the next element, which has to have this tag.
fn value<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<Reader<'a>, Error> {
    let (found, body) = any_value(reader)?;
    if found == tag { Ok(body) } else { Err(Error::BadCertificate) }
}

/// Tag and value of the next element, whose length is written as short as it can be.
fn any_value<'a>(reader: &mut Reader<'a>) -> Result<(u8, Reader<'a>), Error> {
    read_any(reader).map_err(|_| Error::BadCertificate)
}

fn read_any<'a>(reader: &mut Reader<'a>) -> Result<(u8, Reader<'a>), Error> {
    let tag = reader.u8()?;
    let count = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => match reader.u8()? {
            long @ 0x80.. => usize::from(long),
            _ => return Err(Error::BadCertificate),
        },
        0x82 => match reader.u16()? {
            long @ 0x100.. => usize::from(long),
            _ => return Err(Error::BadCertificate),
        },
        _ => return Err(Error::BadCertificate),
    };
    Ok((tag, Reader::new(reader.take(count)?)))
}
