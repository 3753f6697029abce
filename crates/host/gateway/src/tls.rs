//! TLS of the device port: who this gateway is, and what it asks of a device.
//!
//! TLS proves only that the device holds the key it shows. Whether that key may do anything is
//! answered by a message afterwards, so that a refusal can say why.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};
use wasmbed_wire::PublicKey;

use crate::alpn::Protocol;
use crate::limits;

#[cfg(test)]
mod tests;

/// A certificate and its key, as DER: the leaf that devices see, or that of the live API.
///
/// For devices the certificate is one Ed25519 leaf without a chain: they pin the key of its issuer.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The certificates, leaf first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

impl ServerIdentity {
    /// From certificates in DER, leaf first, and the leaf's key as PKCS #8 in DER.
    pub fn from_pkcs8(certificates: Vec<Vec<u8>>, key: Vec<u8>) -> Self {
        let certificates = certificates.into_iter().map(CertificateDer::from).collect();
        Self { certificates, key: PrivatePkcs8KeyDer::from(key).into() }
    }
}

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The pair does not fit together, or is of a kind that is not supported.
    #[error("certificate and key are not usable")]
    Identity(#[source] rustls::Error),
    /// TLS 1.3 with the algorithms of the device could not be configured.
    #[error("configure TLS")]
    Config(#[source] rustls::Error),
    /// The authorities for client certificates cannot be used.
    #[error("authorities of client certificates are not usable")]
    ClientAuthorities(#[source] rustls::server::VerifierBuilderError),
}

/// DER of an Ed25519 SubjectPublicKeyInfo up to the key itself.
///
/// # Source
/// RFC 8410, "Examples", section 10.1.
const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The key in an Ed25519 SubjectPublicKeyInfo; `None` for any other kind or encoding.
pub(crate) fn ed25519_public_key(spki: &[u8]) -> Option<PublicKey> {
    let key = spki.strip_prefix(ED25519_SPKI_PREFIX.as_slice())?;
    key.try_into().ok().map(PublicKey)
}

/// Accepts any device that proves possession of an Ed25519 raw public key.
#[derive(Debug)]
struct RawPublicKeys {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for RawPublicKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if !intermediates.is_empty() || ed25519_public_key(end_entity).is_none() {
            return Err(CertificateError::BadEncoding.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let spki = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        rustls::crypto::verify_tls13_signature_with_raw_key(
            message,
            &spki,
            signature,
            &self.algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Only what a device speaks: nothing else is worth the attack surface.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}

/// Configurations of the device port for one leaf.
#[derive(Debug)]
struct Generation {
    base: ServerConfig,
    /// The record class of the small boards, made once because nearly all devices use it.
    small: (Vec<u8>, Arc<ServerConfig>),
}

/// Configurations of the device port; the leaf can be replaced while it serves.
#[derive(Debug)]
pub(crate) struct DeviceTls {
    current: RwLock<Arc<Generation>>,
}

impl DeviceTls {
    pub(crate) fn new(identity: &ServerIdentity) -> Result<Self, TlsError> {
        Ok(Self { current: RwLock::new(Arc::new(Generation::new(identity)?)) })
    }

    /// Shows `identity` in every handshake that begins from now on.
    pub(crate) fn replace(&self, identity: &ServerIdentity) -> Result<(), TlsError> {
        let next = Arc::new(Generation::new(identity)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// The configuration that answers `protocol`.
    pub(crate) fn config(&self, protocol: &Protocol) -> Arc<ServerConfig> {
        let generation = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        if generation.small.0 == protocol.name {
            return Arc::clone(&generation.small.1);
        }
        Arc::new(generation.derive(&protocol.name, protocol.record_bytes))
    }
}

impl Generation {
    fn new(identity: &ServerIdentity) -> Result<Self, TlsError> {
        let provider = provider();
        let certified = CertifiedKey::from_der(
            identity.certificates.clone(),
            identity.key.clone_key(),
            &provider,
        )
        .map_err(TlsError::Identity)?;
        let verifier = RawPublicKeys { algorithms: provider.signature_verification_algorithms };
        let mut base = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Config)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        // A device keeps no tickets: they would be bytes on its line for nothing.
        base.send_tls13_tickets = 0;
        base.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        // Never in a product: only the test that decrypts a capture is built with this feature.
        #[cfg(feature = "keylog")]
        {
            base.key_log = Arc::new(rustls::KeyLogFile::new());
        }
        let mut generation = Self { small: (Vec::new(), Arc::new(base.clone())), base };
        let name = wasmbed_wire::ALPN_512.as_bytes();
        let record_bytes = Protocol::parse(name).and_then(|protocol| protocol.record_bytes);
        generation.small = (name.to_vec(), Arc::new(generation.derive(name, record_bytes)));
        Ok(generation)
    }

    fn derive(&self, alpn: &[u8], record_bytes: Option<u16>) -> ServerConfig {
        let mut config = self.base.clone();
        config.alpn_protocols = vec![alpn.to_vec()];
        config.max_fragment_size =
            record_bytes.map(|bytes| usize::from(bytes - limits::RECORD_SEAL_BYTES));
        config
    }
}
