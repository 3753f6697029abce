//! What the server is started with. Reads neither the environment nor arguments.

use std::net::SocketAddr;
use std::path::PathBuf;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// Everything the server needs to know at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of the database and of the keys made here; created with mode 0700 if missing.
    pub data_dir: PathBuf,
    /// Address of the HTTPS port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// DNS names and addresses in the certificate, besides `localhost` and `listen`.
    pub server_names: Vec<String>,
    /// Where the server's certificate comes from.
    pub tls: Tls,
    /// Custom resources to serve.
    pub crds: Vec<CustomResourceDefinition>,
    /// Who may come in with which bearer token.
    pub tokens: Vec<Token>,
    /// APIs that other servers answer under this one's address.
    pub aggregated: Vec<AggregatedApi>,
}

impl Config {
    /// A server for `data_dir` on a free port of the loopback address, with its own authority.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            server_names: Vec::new(),
            tls: Tls::SelfMade,
            crds: Vec::new(),
            tokens: Vec::new(),
            aggregated: Vec::new(),
        }
    }
}

/// Where the server's certificate comes from.
#[derive(Clone)]
pub enum Tls {
    /// A certificate authority made at first start and kept, mode 0600, in the data directory.
    SelfMade,
    /// A certificate made elsewhere.
    Given {
        /// Certificate chain, leaf first.
        cert_pem: String,
        /// Private key of the leaf.
        key_pem: String,
        /// What clients should trust; written into kubeconfigs.
        ca_pem: String,
    },
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SelfMade => "SelfMade",
            Self::Given { .. } => "Given",
        })
    }
}

/// One bearer token and who its holder is.
///
/// Members of `system:masters` may do everything; members of `view` may read all but Secrets; any
/// other authenticated user may only ask what the server is and what it serves.
#[derive(Clone)]
pub struct Token {
    /// The secret itself.
    pub token: String,
    /// User name, as shown to aggregated APIs.
    pub user: String,
    /// Groups of the user.
    pub groups: Vec<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("user", &self.user).field("groups", &self.groups).finish()
    }
}

/// A group and version that another server answers, reached as Kubernetes' own aggregator does.
#[derive(Clone)]
pub struct AggregatedApi {
    /// API group, such as `live.example.com`.
    pub group: String,
    /// Version, such as `v1alpha1`.
    pub version: String,
    /// `https://HOST:PORT` of the backend.
    pub url: String,
    /// What the backend's certificate is checked against.
    pub ca_pem: String,
    /// Name expected in the backend's certificate.
    pub server_name: String,
    /// Certificate chain of the front proxy, shown to the backend.
    pub client_cert_pem: String,
    /// Private key of the front proxy.
    pub client_key_pem: String,
}

impl std::fmt::Debug for AggregatedApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} at {}", self.group, self.version, self.url)
    }
}
