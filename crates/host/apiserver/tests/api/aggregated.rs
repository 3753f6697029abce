//! An API that another server answers: what it sees, and how its answers come through.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wasmbed_apiserver::AggregatedApi;

use crate::fixture::{Events, Fixture};

const LIVE: &str = "/apis/live.example/v1";

struct Certificates {
    ca_pem: String,
    cert_pem: String,
    key_pem: String,
}

fn certificates() -> Certificates {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["backend.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    Certificates { ca_pem, cert_pem: leaf.pem(), key_pem: key.serialize_pem() }
}

/// Answers discovery, and `follow` with one line for each that the test sends.
async fn backend(certificates: &Certificates, mut lines: mpsc::Receiver<String>) -> String {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates.ca_pem.as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificates.cert_pem.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(certificates.key_pem.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (forward, follow) = mpsc::channel::<String>(8);
    let follow = Arc::new(tokio::sync::Mutex::new(Some(follow)));
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            forward.send(line).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let follow = follow.clone();
            let service =
                hyper::service::service_fn(move |request| answer(request, follow.clone()));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    format!("https://{address}")
}

type Lines = Arc<tokio::sync::Mutex<Option<mpsc::Receiver<String>>>>;
type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, lines: Lines) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/follow") {
        let lines = lines.lock().await.take().unwrap();
        let stream = futures::stream::unfold(lines, |mut lines| async move {
            let line = lines.recv().await?;
            Some((Ok(Frame::data(Bytes::from(line))), lines))
        });
        return Ok(Response::new(StreamBody::new(stream).boxed_unsync()));
    }
    let header = |name: &str| {
        let values = request.headers().get_all(name).iter();
        json!(values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>())
    };
    let body = if path == LIVE {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "live.example/v1", "resources": [
            {"name": "gadgets/log", "singularName": "", "namespaced": true, "kind": "Log", "verbs": ["get"]}]})
    } else {
        json!({
            "path": request.uri().to_string(), "user": header("x-remote-user"),
            "groups": header("x-remote-group"), "authorization": header("authorization"),
        })
    };
    Ok(Response::new(http_body_util::Full::new(Bytes::from(body.to_string())).boxed_unsync()))
}

#[tokio::test]
async fn requests_go_on_as_the_front_proxy_and_stream_back() {
    let server = Fixture::new().await;
    let certificates = certificates();
    let (lines, receiver) = mpsc::channel(8);
    let url = backend(&certificates, receiver).await;
    let api = AggregatedApi {
        group: "live.example".to_owned(),
        version: "v1".to_owned(),
        url,
        ca_pem: certificates.ca_pem.clone(),
        server_name: "backend.example".to_owned(),
        client_cert_pem: certificates.cert_pem.clone(),
        client_key_pem: certificates.key_pem.clone(),
    };
    server.running.set_aggregated(std::slice::from_ref(&api)).unwrap();
    let reader = server.running.client_as("reader", &["view"]);
    let path = format!("{LIVE}/namespaces/default/gadgets/one/log?tail=5");
    let seen = server.call_as(&reader, "GET", &path, "", &Value::Null).await.ok();
    assert_eq!(seen["path"], path);
    assert_eq!(seen["user"], json!(["reader"]));
    assert_eq!(seen["groups"], json!(["view", "system:authenticated"]));
    assert_eq!(seen["authorization"], json!([]));
    let reboot = format!("{LIVE}/namespaces/default/gadgets/one/reboot");
    let refused = server.call_as(&reader, "POST", &reboot, "", &json!({})).await;
    assert_eq!(refused.outcome(), "403 Forbidden");
    // Each line comes through while the answer is still open.
    let follow = format!("{LIVE}/namespaces/default/gadgets/one/follow");
    let client = server.running.client();
    let mut events = Events::open(&client, &follow).await;
    for number in 0..3 {
        lines.send(format!("{{\"line\": {number}}}\n")).await.unwrap();
        assert_eq!(events.next().await.unwrap()["line"], number);
    }
    let v2 = "accept:application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let groups = server.call("GET", "/apis", v2, &Value::Null).await.ok();
    let group = groups["items"].as_array().unwrap().last().unwrap();
    assert_eq!(group["metadata"]["name"], "live.example");
    assert_eq!(group["versions"][0]["resources"][0]["subresources"][0]["subresource"], "log");
    let broken = AggregatedApi { server_name: "other.example".to_owned(), ..api.clone() };
    server.running.set_aggregated(&[broken]).unwrap();
    assert_eq!(server.get(&path).await.outcome(), "503 ServiceUnavailable");
    let wrong = AggregatedApi { url: "http://127.0.0.1:1".to_owned(), ..api };
    assert!(server.running.set_aggregated(&[wrong]).is_err());
}
