//! Lets in the API server by its front-proxy certificate, and nobody else.

use std::sync::{Arc, Mutex};

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::LiveConfig;
use crate::http_server::Accept;
use crate::registry::lock;
use crate::tls::{ServerIdentity, TlsError};

/// TLS of the live API.
pub(crate) struct FrontProxy {
    names: Vec<String>,
    verifier: Arc<dyn ClientCertVerifier>,
    identity: watch::Receiver<Arc<ServerIdentity>>,
    /// The identity that the configuration was made of, and the configuration.
    current: Mutex<(Arc<ServerIdentity>, Arc<ServerConfig>)>,
}

impl FrontProxy {
    pub(crate) fn new(config: &LiveConfig) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in &config.front_proxy_authorities {
            roots.add(authority.clone()).map_err(TlsError::Config)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(TlsError::ClientAuthorities)?;
        let identity = Arc::clone(&config.identity.borrow());
        let made = server_config(&verifier, &identity)?;
        Ok(Self {
            names: config.front_proxy_names.clone(),
            verifier,
            identity: config.identity.clone(),
            current: Mutex::new((identity, made)),
        })
    }

    /// The configuration of the newest identity that can be used.
    fn config(&self) -> Arc<ServerConfig> {
        let newest = Arc::clone(&self.identity.borrow());
        let mut current = lock(&self.current);
        if !Arc::ptr_eq(&newest, &current.0) {
            match server_config(&self.verifier, &newest) {
                Ok(made) => *current = (newest, made),
                Err(error) => tracing::error!(%error, "the live API's new certificate"),
            }
        }
        Arc::clone(&current.1)
    }

    fn is_allowed(&self, certificate: &[u8]) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
        let mut names = certificate.subject().iter_common_name();
        names.any(|name| name.as_str().is_ok_and(|name| self.names.iter().any(|own| own == name)))
    }
}

fn server_config(
    verifier: &Arc<dyn ClientCertVerifier>,
    identity: &ServerIdentity,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?
        .with_client_cert_verifier(Arc::clone(verifier))
        .with_single_cert(identity.certificates.clone(), identity.key.clone_key())
        .map_err(TlsError::Identity)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl Accept for FrontProxy {
    type Stream = TlsStream<TcpStream>;

    async fn accept(&self, stream: TcpStream) -> Option<Self::Stream> {
        stream.set_nodelay(true).ok()?;
        let stream = TlsAcceptor::from(self.config()).accept(stream).await.ok()?;
        let (_, session) = stream.get_ref();
        let leaf = session.peer_certificates()?.first()?;
        if !self.is_allowed(leaf) {
            tracing::warn!("a client certificate of another name asked for live data");
            return None;
        }
        Some(stream)
    }
}
