//! ClientHello out; ServerHello and HelloRetryRequest in.

use crate::bytes::{Reader, Writer};
use crate::client::Config;
use crate::error::Error;

/// Handshake types.
///
/// # Source
/// RFC 8446, section 4.
pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const NEW_SESSION_TICKET: u8 = 4;
pub(crate) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(crate) const CERTIFICATE: u8 = 11;
pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
pub(crate) const FINISHED: u8 = 20;
pub(crate) const KEY_UPDATE: u8 = 24;
pub(crate) const MESSAGE_HASH: u8 = 254;

/// Extension types.
///
/// # Source
/// RFC 8446, section 4.2; RFC 7250, section 8.
pub(crate) const SERVER_NAME: u16 = 0;
pub(crate) const SUPPORTED_GROUPS: u16 = 10;
pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
pub(crate) const ALPN: u16 = 16;
pub(crate) const CLIENT_CERTIFICATE_TYPE: u16 = 19;
pub(crate) const SERVER_CERTIFICATE_TYPE: u16 = 20;
pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
pub(crate) const COOKIE: u16 = 44;
pub(crate) const KEY_SHARE: u16 = 51;

/// Certificate types.
///
/// # Source
/// RFC 7250, section 8.
pub(crate) const X509: u8 = 0;
pub(crate) const RAW_PUBLIC_KEY: u8 = 2;

/// Code points of what this client speaks.
///
/// # Source
/// RFC 8446, sections 4.1.2, 4.2.1, 4.2.3, 4.2.7 and B.4.
pub(crate) const LEGACY_VERSION: u16 = 0x0303;
pub(crate) const TLS_1_3: u16 = 0x0304;
pub(crate) const CHACHA20_POLY1305_SHA256: u16 = 0x1303;
pub(crate) const X25519: u16 = 0x001d;
pub(crate) const ED25519: u16 = 0x0807;

/// The random number that makes a ServerHello a HelloRetryRequest.
///
/// # Source
/// RFC 8446, section 4.1.3: SHA-256 of "HelloRetryRequest".
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What every ClientHello offers alike: versions, group, signature scheme, certificate types.
const FIXED_EXTENSIONS: [u8; 35] = [
    0,
    43,
    0,
    3,
    2,
    3,
    4, // supported_versions: TLS 1.3
    0,
    10,
    0,
    4,
    0,
    2,
    0,
    0x1d, // supported_groups: x25519
    0,
    13,
    0,
    4,
    0,
    2,
    8,
    7, // signature_algorithms: ed25519
    0,
    19,
    0,
    2,
    1,
    RAW_PUBLIC_KEY, // client_certificate_type
    0,
    20,
    0,
    2,
    1,
    X509, // server_certificate_type
];

/// Writes a ClientHello, without record header. Bytes of it.
///
/// # Errors
/// `None` if it does not fit in `buffer`.
pub(crate) fn write_client_hello(
    buffer: &mut [u8],
    config: &Config<'_>,
    random: &[u8; 32],
    public: &[u8; 32],
    cookie: &[u8],
) -> Option<usize> {
    let mut out = Writer::new(buffer);
    out.u8(CLIENT_HELLO);
    out.u8(0);
    let message = out.begin16();
    out.u16(LEGACY_VERSION);
    out.put(random);
    // No session id: the compatibility mode for middleboxes is not asked for.
    out.u8(0);
    out.u16(2);
    out.u16(CHACHA20_POLY1305_SHA256);
    out.put(&[1, 0]);
    let extensions = out.begin16();
    out.put(&FIXED_EXTENSIONS);
    write_server_name(&mut out, config.server_name);
    write_protocols(&mut out, config.alpn);
    if !cookie.is_empty() {
        out.u16(COOKIE);
        let extension = out.begin16();
        let list = out.begin16();
        out.put(cookie);
        out.end16(list);
        out.end16(extension);
    }
    out.u16(KEY_SHARE);
    out.put(&[0, 38, 0, 36]);
    out.u16(X25519);
    out.u16(32);
    out.put(public);
    out.end16(extensions);
    out.end16(message);
    out.finish()
}

fn write_server_name(out: &mut Writer<'_>, name: &str) {
    out.u16(SERVER_NAME);
    let extension = out.begin16();
    let list = out.begin16();
    out.u8(0);
    let host = out.begin16();
    out.put(name.as_bytes());
    out.end16(host);
    out.end16(list);
    out.end16(extension);
}

fn write_protocols(out: &mut Writer<'_>, protocols: &[&[u8]]) {
    if protocols.is_empty() {
        return;
    }
    out.u16(ALPN);
    let extension = out.begin16();
    let list = out.begin16();
    for protocol in protocols {
        out.u8(protocol.len() as u8);
        out.put(protocol);
    }
    out.end16(list);
    out.end16(extension);
}

/// What the server answered to a ClientHello.
pub(crate) enum ServerHello<'a> {
    /// It goes on, with this X25519 public key.
    Accept(&'a [u8; 32]),
    /// It wants the same hello again, with this cookie.
    Retry(&'a [u8]),
}

/// Reads the body of a ServerHello or HelloRetryRequest.
///
/// # Errors
/// As RFC 8446, sections 4.1.3 and 4.1.4, ask.
pub(crate) fn parse_server_hello(body: &[u8]) -> Result<ServerHello<'_>, Error> {
    let mut reader = Reader::new(body);
    if reader.u16()? != LEGACY_VERSION {
        return Err(Error::ProtocolVersion);
    }
    let random = reader.array::<32>()?;
    let session_id = reader.vector8()?;
    let suite = reader.u16()?;
    let compression = reader.u8()?;
    // TLS 1.2 may leave the extensions out; then it is not TLS 1.3.
    let list = if reader.is_empty() { Reader::new(&[]) } else { reader.vector16()? };
    reader.finish()?;
    let is_retry = *random == RETRY_RANDOM;
    let extensions = HelloExtensions::parse(list, is_retry)?;
    match extensions.version {
        Some(TLS_1_3) => {}
        Some(_) => return Err(Error::IllegalParameter),
        // A server that could speak TLS 1.3 says so here when someone made it believe otherwise.
        None if is_downgrade(random) => return Err(Error::IllegalParameter),
        None => return Err(Error::ProtocolVersion),
    }
    if !session_id.is_empty() || suite != CHACHA20_POLY1305_SHA256 || compression != 0 {
        return Err(Error::IllegalParameter);
    }
    if is_retry {
        // The only group offered came with its key share, so only a cookie can change the hello.
        return match (extensions.cookie, extensions.share) {
            (Some(cookie), None) => Ok(ServerHello::Retry(cookie)),
            _ => Err(Error::IllegalParameter),
        };
    }
    let mut share = Reader::new(extensions.share.ok_or(Error::MissingExtension)?);
    if share.u16()? != X25519 {
        return Err(Error::IllegalParameter);
    }
    let key = share.vector16()?;
    share.finish()?;
    key.rest().try_into().map(ServerHello::Accept).map_err(|_| Error::IllegalParameter)
}

/// Whether a server's random number carries the mark of a downgrade.
///
/// # Source
/// RFC 8446, section 4.1.3: it ends with "DOWNGRD" and 1 for TLS 1.2, 0 for older ones.
fn is_downgrade(random: &[u8; 32]) -> bool {
    matches!(random, [.., b'D', b'O', b'W', b'N', b'G', b'R', b'D', 0 | 1])
}

/// Extensions of a ServerHello, as they came.
struct HelloExtensions<'a> {
    version: Option<u16>,
    share: Option<&'a [u8]>,
    cookie: Option<&'a [u8]>,
}

impl<'a> HelloExtensions<'a> {
    fn parse(mut list: Reader<'a>, is_retry: bool) -> Result<Self, Error> {
        let mut found = Self { version: None, share: None, cookie: None };
        while !list.is_empty() {
            let (kind, mut body) = next_extension(&mut list)?;
            match kind {
                SUPPORTED_VERSIONS => {
                    let version = body.u16()?;
                    body.finish()?;
                    once(&mut found.version, version)?;
                }
                KEY_SHARE => once(&mut found.share, body.rest())?,
                COOKIE if is_retry => {
                    let cookie = body.vector16()?;
                    body.finish()?;
                    if cookie.is_empty() {
                        return Err(Error::Decode);
                    }
                    once(&mut found.cookie, cookie.rest())?;
                }
                _ => return Err(misplaced(kind)),
            }
        }
        Ok(found)
    }
}

/// The type and the body of the next extension in a list.
pub(crate) fn next_extension<'a>(list: &mut Reader<'a>) -> Result<(u16, Reader<'a>), Error> {
    let kind = list.u16()?;
    Ok((kind, list.vector16()?))
}

/// Why an extension that has no place in a message is refused: this client knows it and it belongs
/// elsewhere, or it was never offered.
pub(crate) const fn misplaced(kind: u16) -> Error {
    match kind {
        SERVER_NAME
        | SUPPORTED_GROUPS
        | SIGNATURE_ALGORITHMS
        | ALPN
        | CLIENT_CERTIFICATE_TYPE
        | SERVER_CERTIFICATE_TYPE
        | SUPPORTED_VERSIONS
        | COOKIE
        | KEY_SHARE => Error::IllegalParameter,
        _ => Error::UnsupportedExtension,
    }
}

/// Fills `slot`, which an earlier extension of the same type may not have filled.
pub(crate) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Error> {
    if slot.replace(value).is_some() { Err(Error::IllegalParameter) } else { Ok(()) }
}
