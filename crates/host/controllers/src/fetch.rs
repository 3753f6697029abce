//! Modules behind an HTTP or HTTPS address.
//!
//! What is fetched is believed only after its digest was compared, which is done elsewhere.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use wasmbed_crds::limits::MODULE_BYTES_MAX;

use crate::limits;

/// Fetches modules.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// Why a module was not fetched. It may work later.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address cannot be used.
    #[error("{uri:?} is not an HTTP address: {what}")]
    Address {
        /// The address.
        uri: String,
        /// What is wrong with it.
        what: String,
    },
    /// No answer came.
    #[error("no answer from {host}: {what}")]
    Connect {
        /// Who was asked.
        host: String,
        /// What happened.
        what: String,
    },
    /// Another answer than 200 came.
    #[error("{host} answered {status}")]
    Status {
        /// Who was asked.
        host: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The answers led from one address to the next.
    #[error("more than {} redirects", limits::FETCH_REDIRECTS_MAX)]
    Redirects,
    /// The module did not arrive in time.
    #[error("the module did not arrive within {} s", limits::FETCH_TIMEOUT.as_secs())]
    Timeout,
    /// The module is larger than any may be.
    #[error("the module has more than {MODULE_BYTES_MAX} bytes")]
    TooLarge,
}

impl Fetcher {
    /// Trusts the authorities that this machine trusts. Where it has no list of them, HTTPS
    /// addresses do not work and HTTP ones do: the digest decides in either case.
    pub fn new() -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let trusting =
            HttpsConnectorBuilder::new().with_provider_and_native_roots(provider.clone());
        let builder = match trusting {
            Ok(builder) => builder,
            Err(error) => {
                tracing::warn!(%error, "no HTTPS addresses: the machine has no list of authorities");
                HttpsConnectorBuilder::new().with_tls_config(trusting_nobody(provider))
            }
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// What is at `address`.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(&self, address: &str) -> Result<Vec<u8>, FetchError> {
        let fetched = tokio::time::timeout(limits::FETCH_TIMEOUT, self.follow(address)).await;
        fetched.unwrap_or(Err(FetchError::Timeout))
    }

    async fn follow(&self, address: &str) -> Result<Vec<u8>, FetchError> {
        let mut uri = parse(address)?;
        for _ in 0..=limits::FETCH_REDIRECTS_MAX {
            let host = uri.authority().map_or_else(String::new, ToString::to_string);
            let failed = |error: &dyn std::error::Error| FetchError::Connect {
                host: host.clone(),
                what: root_cause(error),
            };
            let request = Request::get(&uri)
                .header(header::ACCEPT, "application/wasm, application/octet-stream, */*")
                .body(Empty::new())
                .map_err(|error| failed(&error))?;
            let response = self.client.request(request).await.map_err(|error| failed(&error))?;
            match redirect(&response) {
                Some(target) => uri = join(&uri, target)?,
                None if response.status() == StatusCode::OK => return body(response, &host).await,
                None => return Err(FetchError::Status { host, status: response.status() }),
            }
        }
        Err(FetchError::Redirects)
    }
}

fn trusting_nobody(provider: rustls::crypto::CryptoProvider) -> rustls::ClientConfig {
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions();
    let Ok(config) = config else { unreachable!("TLS 1.2 and 1.3 are compiled in") };
    config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

async fn body(
    response: Response<hyper::body::Incoming>,
    host: &str,
) -> Result<Vec<u8>, FetchError> {
    let limited = Limited::new(response.into_body(), MODULE_BYTES_MAX);
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge),
        Err(error) => Err(FetchError::Connect { host: host.to_owned(), what: root_cause(&*error) }),
    }
}

fn redirect<B>(response: &Response<B>) -> Option<&str> {
    let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(header::LOCATION).filter(|_| moved)?.to_str().ok()
}

fn parse(address: &str) -> Result<Uri, FetchError> {
    let wrong = |what: &str| FetchError::Address { uri: address.to_owned(), what: what.to_owned() };
    let uri: Uri = address.parse().map_err(|error| wrong(&format!("{error}")))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.authority().is_some() => Ok(uri),
        _ => Err(wrong("it begins with neither http:// nor https://")),
    }
}

/// The target of a redirect: a whole address, or a path on the same host.
fn join(base: &Uri, target: &str) -> Result<Uri, FetchError> {
    if !target.starts_with('/') || target.starts_with("//") {
        let uri = parse(target)?;
        if base.scheme_str() == Some("https") && uri.scheme_str() != Some("https") {
            let what = "a redirect leads from HTTPS to HTTP".to_owned();
            return Err(FetchError::Address { uri: target.to_owned(), what });
        }
        return Ok(uri);
    }
    let mut parts = base.clone().into_parts();
    let wrong = |what: String| FetchError::Address { uri: target.to_owned(), what };
    parts.path_and_query = Some(target.parse().map_err(|error| wrong(format!("{error}")))?);
    Uri::from_parts(parts).map_err(|error| wrong(error.to_string()))
}

/// The last of a chain of errors: the one that names the cause.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
