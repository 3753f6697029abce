//! Why a session ended against our will, and the alert that says so to the server.

/// What was wrong with what the server sent, or with what the caller configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Error {
    /// A message is not built as its definition says.
    Decode = 1,
    /// A message, or a record of some type, that may not come now.
    UnexpectedMessage = 2,
    /// A field holds what it must not hold here.
    IllegalParameter = 3,
    /// The server does not speak TLS 1.3.
    ProtocolVersion = 4,
    /// A record did not decrypt: damaged, replayed, or made with another key.
    BadRecord = 5,
    /// A record is longer than [`crate::limits::RECORD_BYTES_MAX`].
    RecordOverflow = 6,
    /// Handshake messages do not fit in the client's buffer.
    MessageTooLarge = 7,
    /// A message lacks an extension that it needs.
    MissingExtension = 8,
    /// The server answered an extension that was not offered.
    UnsupportedExtension = 9,
    /// The server chose none of the protocols offered by ALPN.
    NoApplicationProtocol = 10,
    /// The server does not take the raw public key that a device has.
    RawKeyRefused = 11,
    /// The server did not ask who the device is, or not for Ed25519.
    NoClientAuthentication = 12,
    /// The certificate is not one strict DER structure, or there are several.
    BadCertificate = 13,
    /// The certificate is of another kind: other key type, purpose, or an authority's own.
    UnsupportedCertificate = 14,
    /// The certificate names another server.
    WrongName = 15,
    /// The certificate is over.
    Expired = 16,
    /// The certificate is not valid yet.
    NotYetValid = 17,
    /// None of the pinned authorities signed the certificate.
    UnknownAuthority = 18,
    /// CertificateVerify was not made by the certificate's key over this handshake.
    BadSignature = 19,
    /// Finished does not match this handshake.
    BadFinished = 20,
    /// Server name, protocols and cookie together do not fit in a ClientHello.
    HelloTooLarge = 21,
}

impl Error {
    /// The alert description sent to the server.
    ///
    /// # Source
    /// RFC 8446, section 6.2, and RFC 7301, section 3.2.
    pub const fn alert(self) -> u8 {
        match self {
            Self::UnexpectedMessage => 10,
            Self::BadRecord => 20,
            Self::RecordOverflow => 22,
            Self::NoClientAuthentication => 40,
            Self::BadCertificate | Self::WrongName => 42,
            Self::UnsupportedCertificate | Self::RawKeyRefused => 43,
            Self::Expired | Self::NotYetValid => 45,
            Self::IllegalParameter | Self::MessageTooLarge => 47,
            Self::UnknownAuthority => 48,
            Self::Decode => 50,
            Self::BadSignature | Self::BadFinished => 51,
            Self::ProtocolVersion => 70,
            Self::HelloTooLarge => 80,
            Self::MissingExtension => 109,
            Self::UnsupportedExtension => 110,
            Self::NoApplicationProtocol => 120,
        }
    }
}
