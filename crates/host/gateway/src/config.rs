//! What a gateway process is told at its start.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use crate::limits::Limits;
use crate::tls::ServerIdentity;

/// Settings of one gateway process.
#[derive(Clone, Debug)]
pub struct Config {
    /// Namespace whose devices it serves.
    pub namespace: String,
    /// Name of the Gateway object that it is a process of.
    pub gateway: String,
    /// Name of this process, unique in the namespace: also that of its Lease.
    pub process: String,
    /// Where devices connect. Port 0 takes a free one.
    pub device_address: SocketAddr,
    /// The leaf that devices see. A new value is shown in every handshake from then on.
    pub device_identity: watch::Receiver<Arc<ServerIdentity>>,
    /// The live API; absent, it is not served.
    pub live: Option<LiveConfig>,
    /// Where probes and Prometheus connect, without TLS. Absent: nowhere.
    pub health_address: Option<SocketAddr>,
    /// Bounds that an operator may change.
    pub limits: Limits,
}

/// Settings of the live API.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Where the API server connects. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate that the API server checks, by name and authority of its APIService.
    pub identity: watch::Receiver<Arc<ServerIdentity>>,
    /// Authorities of the API server's front-proxy certificate. Nobody else is served.
    pub front_proxy_authorities: Vec<CertificateDer<'static>>,
    /// Common names that such a certificate may have. Empty: any name of those authorities.
    pub front_proxy_names: Vec<String>,
    /// Where other gateway processes reach this one, if it differs from the bound address.
    pub advertised_address: Option<String>,
}
