//! A private key with its certificate, and the text in which both are kept.

use rcgen::KeyPair;
use x509_parser::pem::parse_x509_pem;
use zeroize::Zeroizing;

use crate::PkiError;

/// A private key with its certificate.
pub struct Identity {
    key: KeyPair,
    certificate: Certificate,
}

/// A certificate, and what it says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// DER.
    pub der: Vec<u8>,
    /// PEM.
    pub pem: String,
    /// Unix time from which it is valid, in seconds.
    pub not_before_s: i64,
    /// Unix time until which it is valid, in seconds.
    pub not_after_s: i64,
    /// DNS names that it is for.
    pub dns_names: Vec<String>,
}

impl Identity {
    /// Reads a key and its certificate from the text that [`Identity::text`] wrote.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, PkiError> {
        let damaged = |what| PkiError::Damaged { name: name.to_owned(), what };
        let key = KeyPair::from_pem(text).map_err(|_| damaged("no private key"))?;
        let start = text.find(CERTIFICATE_BEGIN).ok_or_else(|| damaged("no certificate"))?;
        let pem = text.get(start..).unwrap_or_default();
        let certificate =
            Certificate::parse(pem).ok_or_else(|| damaged("the certificate cannot be read"))?;
        let identity = Self { key, certificate };
        if !identity.key_matches() {
            return Err(damaged("the key is not that of the certificate"));
        }
        Ok(identity)
    }

    /// The text in which a key and its certificate are kept: both in one file, so that no moment
    /// exists at which they differ.
    pub(crate) fn text(key: &KeyPair, certificate_pem: &str) -> Zeroizing<String> {
        let key = Zeroizing::new(key.serialize_pem());
        Zeroizing::new(format!("{}{certificate_pem}", *key))
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key, PKCS #8 in DER.
    pub fn key_der(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.serialize_der())
    }

    /// The private key, PKCS #8 in PEM.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    pub(crate) fn key(&self) -> &KeyPair {
        &self.key
    }

    fn key_matches(&self) -> bool {
        x509_parser::parse_x509_certificate(&self.certificate.der).is_ok_and(|(_, parsed)| {
            parsed.public_key().subject_public_key.data.as_ref() == self.key.public_key_raw()
        })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

const CERTIFICATE_BEGIN: &str = "-----BEGIN CERTIFICATE-----";

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub fn parse(pem: &str) -> Option<Self> {
        let (_, block) = parse_x509_pem(pem.as_bytes()).ok()?;
        let parsed = block.parse_x509().ok()?;
        let names = parsed.subject_alternative_name().ok()?;
        let names = names.into_iter().flat_map(|names| names.value.general_names.iter());
        let dns_names = names.filter_map(|name| match name {
            x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        Some(Self {
            dns_names: dns_names.collect(),
            not_before_s: parsed.validity().not_before.timestamp(),
            not_after_s: parsed.validity().not_after.timestamp(),
            pem: pem.to_owned(),
            der: block.contents.clone(),
        })
    }
}
