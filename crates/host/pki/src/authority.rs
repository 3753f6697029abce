//! Authorities: keys that sign certificates.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SanType, SerialNumber,
    SignatureAlgorithm,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::identity::Identity;
use crate::{KeyStore, PkiError, limits};

/// Seconds of a day.
pub const DAY_S: i64 = 24 * 3600;
/// Bytes of a serial number. Chosen: 64 random bits, as the CA/Browser baseline requires.
const SERIAL_BYTES: usize = 8;

/// What an authority is called, and with what kind of key it signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Signs gateways. Devices pin its Ed25519 key.
    Fleet,
    /// Signs the servers of the live API. An API server trusts it.
    Live,
    /// Signs the client certificate with which an API server forwards. Gateways trust it.
    FrontProxy,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Fleet, Self::Live, Self::FrontProxy];

    /// Name in the key store.
    pub const fn store_name(self) -> &'static str {
        match self {
            Self::Fleet => "fleet-ca",
            Self::Live => "live-ca",
            Self::FrontProxy => "front-proxy-ca",
        }
    }

    /// Common name. The fleet's is in every gateway certificate, so it is short.
    const fn common_name(self) -> &'static str {
        match self {
            Self::Fleet => "wasmbed",
            Self::Live => "wasmbed live API",
            Self::FrontProxy => "wasmbed front proxy",
        }
    }

    /// Ed25519 where only our own code looks, P-256 where any API server does.
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::Fleet => &PKCS_ED25519,
            Self::Live | Self::FrontProxy => &PKCS_ECDSA_P256_SHA256,
        }
    }
}

/// What a leaf is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaf<'a> {
    /// Name in the key store.
    pub store_name: &'a str,
    /// Subject; empty for gateways, whose name is the DNS name.
    pub common_name: Option<&'a str>,
    /// DNS names, and IP addresses.
    pub names: &'a [SanType],
    /// Client or server.
    pub purpose: ExtendedKeyUsagePurpose,
}

/// A key that signs certificates.
#[derive(Debug)]
pub struct Authority {
    kind: Kind,
    identity: Identity,
}

impl Authority {
    /// The authority of the store, made where there is none.
    pub fn open(kind: Kind, store: &dyn KeyStore, now_s: i64) -> Result<Self, PkiError> {
        let name = kind.store_name();
        let text = match store.read(name)? {
            Some(text) => text,
            None => {
                let text = make(kind, now_s).map_err(|source| issue(name, source))?;
                store.create(name, &text)?
            }
        };
        let identity = Identity::parse(name, &text)?;
        if !identity.key().is_compatible(kind.algorithm()) {
            return Err(PkiError::Damaged { name: name.to_owned(), what: "another kind of key" });
        }
        Ok(Self { kind, identity })
    }

    /// Its key with its certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A new key and its certificate, as text for the store.
    pub fn issue(&self, leaf: &Leaf<'_>, now_s: i64) -> Result<Zeroizing<String>, PkiError> {
        let make = || -> Result<Zeroizing<String>, rcgen::Error> {
            let key = KeyPair::generate_for(self.kind.algorithm())?;
            let mut params = params(&key, leaf.common_name, now_s, limits::LEAF_DAYS)?;
            params.subject_alt_names = leaf.names.to_vec();
            params.extended_key_usages = vec![leaf.purpose.clone()];
            // The issuer's name and key are all that a signature takes from its certificate.
            let mut name = CertificateParams::default();
            name.distinguished_name = distinguished_name(Some(self.kind.common_name()));
            let issuer = Issuer::new(name, self.identity.key());
            let certificate = params.signed_by(&key, &issuer)?;
            Ok(Identity::text(&key, &certificate.pem()))
        };
        make().map_err(|source| issue(leaf.store_name, source))
    }
}

fn make(kind: Kind, now_s: i64) -> Result<Zeroizing<String>, rcgen::Error> {
    let key = KeyPair::generate_for(kind.algorithm())?;
    let mut params = params(&key, Some(kind.common_name()), now_s, limits::AUTHORITY_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(Identity::text(&key, &certificate.pem()))
}

fn params(
    key: &KeyPair,
    common_name: Option<&str>,
    now_s: i64,
    days: i64,
) -> Result<CertificateParams, rcgen::Error> {
    let time =
        |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| rcgen::Error::Time);
    let mut params = CertificateParams::default();
    params.not_before = time(now_s - limits::BACKDATE_S)?;
    params.not_after = time(now_s + days * DAY_S)?;
    params.serial_number = Some(serial_number(key));
    params.distinguished_name = distinguished_name(common_name);
    Ok(params)
}

/// A serial number nobody can predict and no other key has: the hash of a fresh random key.
fn serial_number(key: &KeyPair) -> SerialNumber {
    let hash = Sha256::digest(key.public_key_raw());
    let mut serial = [0; SERIAL_BYTES];
    serial.copy_from_slice(&hash[..SERIAL_BYTES]);
    // Positive, and of full length however it is encoded.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&serial)
}

fn distinguished_name(common_name: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(common_name) = common_name {
        name.push(DnType::CommonName, common_name);
    }
    name
}

fn issue(name: &str, source: rcgen::Error) -> PkiError {
    PkiError::Issue { name: name.to_owned(), source }
}
