//! The server's certificate: given, or from an authority that is made at first start and kept.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{Config, Tls};
use crate::limits;
use crate::server::StartError;

/// What the listener needs, and what clients are told to trust.
pub(crate) struct Identity {
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

/// Loads or makes the certificate.
pub(crate) fn identity(config: &Config) -> Result<Identity, StartError> {
    let (cert_pem, key_pem, ca_pem) = match &config.tls {
        Tls::Given { cert_pem, key_pem, ca_pem } => {
            (cert_pem.clone(), key_pem.clone(), ca_pem.clone())
        }
        Tls::SelfMade => self_made(config)?,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(malformed)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(malformed)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(malformed)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(malformed)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { tls: Arc::new(tls), ca_pem })
}

fn malformed(error: impl std::fmt::Display) -> StartError {
    StartError::Certificate { why: error.to_string() }
}

/// A leaf for this start, signed by the kept authority. Only the authority's key is kept: a leaf
/// that lives as long as the process needs no renewal on disk.
fn self_made(config: &Config) -> Result<(String, String, String), StartError> {
    let (key_path, cert_path) =
        (config.data_dir.join("apiserver-ca.key"), config.data_dir.join("apiserver-ca.crt"));
    if !key_path.exists() || !cert_path.exists() {
        make_authority(&key_path, &cert_path)?;
    }
    let read = |path: &Path| {
        fs::read_to_string(path)
            .map_err(|source| StartError::File { path: path.to_owned(), source })
    };
    let (key_pem, ca_pem) = (read(&key_path)?, read(&cert_path)?);
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, KeyPair::from_pem(&key_pem).map_err(malformed)?);
    let issuer = issuer.map_err(malformed)?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.push("kubernetes.default.svc".to_owned());
    names.push(config.listen.ip().to_string());
    names.extend(config.server_names.iter().cloned());
    names.sort();
    names.dedup();
    let mut params = CertificateParams::new(names).map_err(malformed)?;
    params.distinguished_name = name("wasmbed apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params, limits::LEAF_DAYS);
    let leaf_key = KeyPair::generate().map_err(malformed)?;
    let leaf = params.signed_by(&leaf_key, &issuer).map_err(malformed)?;
    Ok((leaf.pem(), leaf_key.serialize_pem(), ca_pem))
}

fn make_authority(key_path: &Path, cert_path: &Path) -> Result<(), StartError> {
    let key = KeyPair::generate().map_err(malformed)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(malformed)?;
    params.distinguished_name = name("wasmbed apiserver CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, limits::AUTHORITY_DAYS);
    let certificate = params.self_signed(&key).map_err(malformed)?;
    write_private(key_path, &key.serialize_pem())?;
    write_private(cert_path, &certificate.pem())
}

fn set_validity(params: &mut CertificateParams, days: i64) {
    let now = time::OffsetDateTime::now_utc();
    // Clocks of clients on other machines may be a little behind.
    params.not_before = now - time::Duration::hours(1);
    params.not_after = now + time::Duration::days(days);
}

fn name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), StartError> {
    let failed = |source| StartError::File { path: path.to_owned(), source };
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}
