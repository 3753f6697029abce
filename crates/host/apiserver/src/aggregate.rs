//! APIs that other servers answer: requests go on to them as Kubernetes' own aggregator sends them,
//! with the front proxy's certificate and the user's name, and their answers stream back unbuffered.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::AggregatedApi;
use crate::limits;
use crate::reply::{self, Body, BodyError, Reply};
use crate::request::{Route, User};
use crate::server::StartError;
use crate::status::Refusal;

const REMOTE_USER: HeaderName = HeaderName::from_static("x-remote-user");
const REMOTE_GROUP: HeaderName = HeaderName::from_static("x-remote-group");

/// The configured backends.
#[derive(Default)]
pub(crate) struct Backends(RwLock<Vec<Arc<Backend>>>);

impl Backends {
    /// Replaces all backends, or none if one is configured wrongly.
    pub(crate) fn set(&self, apis: &[AggregatedApi]) -> Result<(), StartError> {
        let backends = apis.iter().map(|api| Backend::new(api).map(Arc::new));
        let backends = backends.collect::<Result<Vec<_>, _>>()?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = backends;
        Ok(())
    }

    /// All backends.
    pub(crate) fn all(&self) -> Vec<Arc<Backend>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The backend that answers a path.
    pub(crate) fn find(&self, place: &Route) -> Option<Arc<Backend>> {
        let (group, version) = match place {
            Route::Resource(target) => (&target.group, &target.version),
            Route::GroupVersion(group, version) => (group, version),
            _ => return None,
        };
        let backends = self.0.read().unwrap_or_else(PoisonError::into_inner);
        backends.iter().find(|one| one.group == *group && one.version == *version).cloned()
    }
}

/// One aggregated API.
pub(crate) struct Backend {
    pub(crate) group: String,
    pub(crate) version: String,
    authority: String,
    server_name: ServerName<'static>,
    tls: TlsConnector,
    /// Its resource list, and when it was asked for.
    known: Mutex<Option<(Instant, Option<Value>)>>,
}

impl Backend {
    fn new(api: &AggregatedApi) -> Result<Self, StartError> {
        let wrong = |why: String| StartError::Aggregated { group: api.group.clone(), why };
        let uri: Uri = api.url.parse().map_err(|_| wrong(format!("{} is not a URL", api.url)))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong(format!("{} is not an https URL", api.url)));
        }
        let host = uri.host().ok_or_else(|| wrong(format!("{} has no host", api.url)))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(api.ca_pem.as_bytes()) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        let chain = CertificateDer::pem_slice_iter(api.client_cert_pem.as_bytes());
        let chain =
            chain.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(api.client_key_pem.as_bytes());
        let key = key.map_err(|error| wrong(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            group: api.group.clone(),
            version: api.version.clone(),
            authority: format!("{host}:{}", uri.port_u16().unwrap_or(443)),
            server_name: ServerName::try_from(api.server_name.clone())
                .map_err(|error| wrong(error.to_string()))?,
            tls: TlsConnector::from(Arc::new(tls)),
            known: Mutex::new(None),
        })
    }

    /// Sends a request on and streams the answer back.
    pub(crate) async fn forward(
        &self,
        user: User,
        request: Request<Body>,
    ) -> Result<Reply, Refusal> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        parts.uri = path.parse().map_err(|_| Refusal::unknown_path())?;
        parts.version = http::Version::HTTP_11;
        identify(&mut parts.headers, &user)?;
        let host = HeaderValue::from_str(&self.authority).map_err(Refusal::internal)?;
        parts.headers.insert(header::HOST, host);
        let sent = tokio::time::timeout(
            limits::BACKEND_TIMEOUT,
            self.send(Request::from_parts(parts, body)),
        );
        let answer = sent.await.map_err(|_| self.unavailable("it does not answer"))??;
        let (mut parts, body) = answer.into_parts();
        for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        parts.version = http::Version::default();
        Ok(Reply::from_parts(
            parts,
            body.map_err(|error| -> BodyError { error.into() }).boxed_unsync(),
        ))
    }

    /// A connection for one request: they are few, and long when they follow a log.
    async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<http::Response<hyper::body::Incoming>, Refusal> {
        let failed = |error: &dyn std::fmt::Display| self.unavailable(&error.to_string());
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| failed(&error))?;
        let _ = stream.set_nodelay(true);
        let stream = self.tls.connect(self.server_name.clone(), stream).await;
        let stream = stream.map_err(|error| failed(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        // Ends with the answer's body, or when the client drops it.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| failed(&error))
    }

    /// Its `APIResourceList`, as of lately; `None` if it does not answer.
    pub(crate) async fn resources(&self) -> Option<Value> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((asked_at, list)) = known {
            let age = if list.is_some() {
                limits::BACKEND_DISCOVERY_AGE
            } else {
                limits::BACKEND_DISCOVERY_TIMEOUT
            };
            if asked_at.elapsed() < age {
                return list;
            }
        }
        let asked = tokio::time::timeout(limits::BACKEND_DISCOVERY_TIMEOUT, self.ask_resources());
        let list = asked.await.ok().flatten();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), list.clone()));
        list
    }

    async fn ask_resources(&self) -> Option<Value> {
        let request = Request::get(format!("/apis/{}/{}", self.group, self.version))
            .header(header::ACCEPT, "application/json")
            .body(reply::full(""))
            .ok()?;
        let user = User {
            name: "system:aggregator".to_owned(),
            groups: vec!["system:masters".to_owned()],
        };
        let answer = self.forward(user, request).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let body = reply::read(answer.into_body(), limits::BACKEND_DISCOVERY_BYTES_MAX).await;
        serde_json::from_slice(&body.ok()?).ok()
    }

    fn unavailable(&self, why: &str) -> Refusal {
        tracing::debug!(group = self.group, why, "aggregated API");
        Refusal::unavailable(format!("the API {}/{} is unavailable", self.group, self.version))
    }
}

/// Replaces what the client said about itself with what we know about it.
fn identify(headers: &mut http::HeaderMap, user: &User) -> Result<(), Refusal> {
    let claimed: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-remote-")).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
    for name in
        [header::AUTHORIZATION, header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE]
    {
        headers.remove(name);
    }
    let value = |text: &str| HeaderValue::from_str(text).map_err(Refusal::internal);
    headers.insert(REMOTE_USER, value(&user.name)?);
    for group in &user.groups {
        headers.append(REMOTE_GROUP, value(group)?);
    }
    Ok(())
}
