//! The live API as the API server's aggregator sees it, and the port of probes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{AsyncBufReadExt as _, StreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasmbed_gateway::Limits;
use wasmbed_wire::{
    AppId, CommandOutcome, CommandResult, DeviceMessage, GatewayMessage, GuestState, Log, Telemetry,
};

use crate::harness::{Authority, Harness};
use crate::peer::{DeviceKey, PATIENCE, Peer};

const ROOT: &str = "/apis/live.wasmbed.github.io/v1alpha1";

/// A client of the live API, with or without a certificate.
pub struct Caller<'a> {
    harness: &'a Harness,
    certificate: Option<(&'a Authority, &'a str)>,
    user: Option<&'a str>,
}

impl<'a> Caller<'a> {
    /// As the API server calls.
    pub fn proxy(harness: &'a Harness) -> Self {
        let certificate = Some((&harness.front_proxy, "front-proxy-client"));
        Self { harness, certificate, user: Some("jane") }
    }

    pub async fn call(&self, method: Method, path: &str) -> Option<(StatusCode, Incoming)> {
        self.call_with(method, path, Bytes::new()).await
    }

    async fn call_with(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Option<(StatusCode, Incoming)> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.harness.live_authority.certificate.clone()).expect("a CA");
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_root_certificates(roots);
        let config = match self.certificate {
            None => builder.with_no_client_auth(),
            Some((authority, name)) => {
                let leaf = authority.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
                builder.with_client_auth_cert(leaf.certificates, leaf.key).expect("a certificate")
            }
        };
        let address = self.harness.gateway.live_address.expect("served");
        let stream = TcpStream::connect(address).await.expect("accepted");
        let name = ServerName::try_from("localhost").expect("a DNS name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(user) = self.user {
            request = request.header("x-remote-user", user);
        }
        let request = request.body(Full::new(body)).expect("a request");
        let response = timeout(PATIENCE, sender.send_request(request)).await.expect("in time");
        let response = response.ok()?;
        Some((response.status(), response.into_body()))
    }

    pub async fn text(&self, method: Method, path: &str) -> (u16, String) {
        let (status, body) = self.call(method, path).await.expect("an answer");
        let body = timeout(PATIENCE, body.collect()).await.expect("in time").expect("a body");
        (status.as_u16(), String::from_utf8(body.to_bytes().to_vec()).expect("text"))
    }

    pub async fn json(&self, method: Method, path: &str) -> (u16, Value) {
        let (status, text) = self.text(method, path).await;
        (status, serde_json::from_str(&text).expect("JSON"))
    }
}

impl Caller<'_> {
    /// Posts `body` and reads the answer.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let body = Bytes::from(body.to_string());
        let (status, body) = self.call_with(Method::POST, path, body).await.expect("an answer");
        let body = timeout(PATIENCE, body.collect()).await.expect("in time").expect("a body");
        (status.as_u16(), serde_json::from_slice(&body.to_bytes()).expect("JSON"))
    }
}

pub fn device_path(key: &DeviceKey, rest: &str) -> String {
    path_of(&key.device_name(), rest)
}

pub fn path_of(device: &str, rest: &str) -> String {
    format!("{ROOT}/namespaces/default/devices/{device}/{rest}")
}

async fn log(peer: &mut Peer, app: AppId, sequence: u32, text: &str) {
    let text = text.as_bytes();
    peer.send(&DeviceMessage::Log(Log { app, sequence, uptime_ms: 5, text })).await;
}

/// Waits until the gateway has taken in all that `peer` sent: it shows the report in the status.
pub async fn settle(harness: &Harness, peer: &mut Peer, key: &DeviceKey) {
    peer.report(AppId([0xee; 16]), 1, GuestState::Running).await;
    harness
        .until(&key.device_name(), |device: &wasmbed_crds::Device| {
            let status = device.status.as_ref();
            status.is_some_and(|status| {
                status.applications.iter().any(|app| app.name.starts_with("eeeeeeee"))
            })
        })
        .await;
}

#[tokio::test]
async fn nobody_but_the_front_proxy_is_served() {
    let harness = Harness::start().await;
    let impostor = Authority::new("front proxy");
    let path = ROOT;
    let user = Some("jane");
    let refused = [
        ("no certificate", Caller { harness: &harness, certificate: None, user }),
        (
            "a certificate of another authority",
            Caller {
                harness: &harness,
                certificate: Some((&impostor, "front-proxy-client")),
                user,
            },
        ),
        (
            "another name",
            Caller {
                harness: &harness,
                certificate: Some((&harness.front_proxy, "kubelet")),
                user,
            },
        ),
    ];
    for (what, caller) in &refused {
        assert!(caller.call(Method::GET, path).await.is_none(), "{what} was served");
    }
    let nameless = Caller { user: None, ..Caller::proxy(&harness) };
    assert_eq!(nameless.json(Method::GET, path).await.0, 401);
    assert_eq!(Caller::proxy(&harness).json(Method::GET, path).await.0, 200);
    println!("\ncases: {}\n", refused.len() + 2);
}

#[tokio::test]
async fn the_group_lists_its_resources_and_refuses_the_rest_as_a_status() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let caller = Caller::proxy(&harness);
    let (_, list) = caller.json(Method::GET, ROOT).await;
    assert_eq!(list["kind"], "APIResourceList");
    assert_eq!(list["groupVersion"], "live.wasmbed.github.io/v1alpha1");
    let names: Vec<&str> = list["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|resource| resource["name"].as_str().expect("a name"))
        .collect();
    let expected = [
        "devices/log",
        "devices/counters",
        "devices/telemetry",
        "devices/messages",
        "devices/ping",
        "devices/reboot",
        "devices/restart",
    ];
    assert_eq!(names, expected);

    let _peer = harness.enrolled(&key).await;
    let known = |rest: &str| device_path(&key, rest);
    let unknown = device_path(&DeviceKey::generate(), "log");
    let elsewhere = known("log").replace("namespaces/default", "namespaces/other");
    let cases = [
        (Method::GET, "/openapi/v2".to_owned(), 404, "NotFound"),
        (Method::GET, format!("{ROOT}/namespaces/default/devices"), 404, "NotFound"),
        (Method::GET, unknown, 404, "NotFound"),
        (Method::GET, elsewhere, 404, "NotFound"),
        (Method::POST, known("log"), 405, "MethodNotAllowed"),
        (Method::GET, known("ping"), 405, "MethodNotAllowed"),
        (Method::GET, known("log?tail=many"), 400, "BadRequest"),
        (Method::POST, known("restart"), 400, "BadRequest"),
        (Method::POST, known("restart?application=none"), 400, "BadRequest"),
        (Method::GET, known("counters"), 503, "ServiceUnavailable"),
    ];
    for (method, path, code, reason) in &cases {
        let (status, body) = caller.json(method.clone(), path).await;
        assert_eq!((status, body["reason"].as_str()), (*code, Some(*reason)), "{method} {path}");
        assert_eq!((&body["kind"], &body["status"]), (&"Status".into(), &"Failure".into()));
        assert_eq!(body["code"], *code);
    }
    println!("\ncases: {}\n", cases.len() + 1);
}

#[tokio::test]
async fn a_device_without_a_session_here_is_unavailable() {
    let harness = Harness::start().await;
    harness.enrollment("later", "wait", serde_json::json!({ "autoApprove": false })).await;
    let key = DeviceKey::generate();
    let mut peer = harness.greet(&key).await;
    peer.expect("EnrollRequired").await;
    peer.enroll(Some("wait")).await;
    peer.expect("Refused PendingApproval").await;
    let caller = Caller::proxy(&harness);
    let cases = [(Method::GET, "log"), (Method::GET, "counters"), (Method::POST, "ping")];
    for (method, rest) in &cases {
        let answer = loop {
            let (code, body) = caller.json(method.clone(), &device_path(&key, rest)).await;
            // The watch has not brought the new Device yet.
            if code != 404 {
                break (code, body);
            }
        };
        assert_eq!(answer.0, 503, "{rest}: {}", answer.1);
        assert!(answer.1["message"].as_str().is_some_and(|text| text.contains("no session")));
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn a_log_is_read_from_where_the_reader_wants() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let app = harness.application("blink", b"image", 100).await;
    let mut peer = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    for (sequence, text) in [(1, "one"), (2, "two\n"), (5, "five\nand more"), (6, "six")] {
        log(&mut peer, app, sequence, text).await;
    }
    log(&mut peer, AppId([5; 16]), 7, "another").await;
    settle(&harness, &mut peer, &key).await;
    let caller = Caller::proxy(&harness);
    let all = [
        "blink one",
        "blink two",
        "-- 2 lines dropped by the device ---",
        "blink five and more",
        "blink six",
        "05050505-0505-0505-0505-050505050505 another",
    ];
    let cases: [(&str, &[&str]); 6] = [
        ("log", &all),
        ("log?tail=2", &all[4..]),
        ("log?sinceSeq=2", &all[1..]),
        ("log?sinceSeq=4&tail=1", &all[5..]),
        ("log?sinceSeq=100", &[]),
        ("log?application=blink", &all[..5]),
    ];
    for (rest, expected) in cases {
        let (status, text) = caller.text(Method::GET, &device_path(&key, rest)).await;
        assert_eq!(status, 200);
        // Each line begins with the time, and a loss with a dash more.
        let found: Vec<&str> = text
            .lines()
            .map(|line| {
                line.strip_prefix('-').or_else(|| line.split_once(' ').map(|(_, rest)| rest))
            })
            .map(|line| line.expect("a line has a time"))
            .collect();
        assert_eq!(found, expected, "{rest}");
    }
    let (_, text) = caller.text(Method::GET, &device_path(&key, "log?format=json&tail=1")).await;
    let line: Value = serde_json::from_str(text.trim_end()).expect("one JSON object");
    assert_eq!(
        (&line["seq"], &line["text"], &line["boot"]),
        (&5.into(), &"another".into(), &1.into())
    );
    println!("\ncases: {}\n", cases.len() + 1);
}

#[tokio::test]
async fn a_log_says_what_the_gateway_dropped() {
    let harness = Harness::start_with(Limits { log_bytes_max: 1_000, ..Limits::default() }).await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    for sequence in 1..=50 {
        log(&mut peer, AppId([5; 16]), sequence, &"x".repeat(100)).await;
    }
    settle(&harness, &mut peer, &key).await;
    let path = device_path(&key, "log?sinceSeq=1&format=json");
    let (_, text) = Caller::proxy(&harness).text(Method::GET, &path).await;
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    let dropped = first["dropped"].as_u64().expect("the first line tells the loss");
    assert_eq!(first["by"], "gateway");
    assert_eq!(dropped + text.lines().count() as u64 - 1, 50);
    assert!(text.lines().count() > 2, "something is held: {text}");
}

#[tokio::test]
async fn a_followed_log_goes_on_across_sessions() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let caller = Caller::proxy(&harness);
    log(&mut peer, AppId([5; 16]), 1, "before").await;
    settle(&harness, &mut peer, &key).await;
    let path = device_path(&key, "log?follow=true");
    let (status, mut body) = caller.call(Method::GET, &path).await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    let mut seen = String::new();
    let mut read = async |wanted: &str| {
        while !seen.contains(wanted) {
            let frame = timeout(PATIENCE, body.frame()).await.expect("a line in time");
            let frame = frame.expect("the stream goes on").expect("no error");
            seen.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("text"));
        }
    };
    read("before").await;
    log(&mut peer, AppId([5; 16]), 2, "while following").await;
    read("while following").await;
    drop(peer);
    let mut again = harness.greet(&key).await;
    again.expect("Welcome 2").await;
    log(&mut again, AppId([5; 16]), 1, "after").await;
    read("after").await;
}

#[tokio::test]
async fn counters_and_telemetry_are_what_the_device_sent() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let app = AppId([5; 16]);
    for (sequence, topic, value) in [(1, "temp", -40), (2, "light", 7), (3, "temp", 41)] {
        let sample = Telemetry { app, sequence, uptime_ms: 9, topic, value };
        peer.send(&DeviceMessage::Telemetry(sample)).await;
    }
    peer.heartbeat(1_234).await;
    settle(&harness, &mut peer, &key).await;
    let caller = Caller::proxy(&harness);
    let (status, body) = caller.json(Method::GET, &device_path(&key, "counters")).await;
    assert_eq!(status, 200);
    assert_eq!((&body["uptimeMs"], &body["counters"]["rxBytes"]), (&1_234.into(), &1_234.into()));
    assert_eq!(body["epoch"], 1);
    let cases: [(&str, &[i64]); 4] = [
        ("telemetry", &[-40, 7, 41]),
        ("telemetry?topic=temp", &[-40, 41]),
        ("telemetry?sinceSeq=3", &[41]),
        ("telemetry?application=none", &[]),
    ];
    for (rest, values) in cases {
        let (_, body) = caller.json(Method::GET, &device_path(&key, rest)).await;
        let samples = body["samples"].as_array().expect("a list");
        let found: Vec<i64> =
            samples.iter().map(|sample| sample["value"].as_i64().expect("a number")).collect();
        assert_eq!(found, values, "{rest}");
        assert_eq!((&body["nextSeq"], &body["dropped"]), (&4.into(), &0.into()));
    }
    println!("\ncases: {}\n", cases.len() + 1);
}

/// Answers the next command with `outcome`, and returns its name.
async fn answer(peer: &mut Peer, outcome: CommandOutcome) -> &'static str {
    let body = peer.receive().await.expect("a command");
    let message = GatewayMessage::decode(&body).expect("a message");
    let id = match message {
        GatewayMessage::Ping(command) | GatewayMessage::Reboot(command) => command.id,
        GatewayMessage::Restart(command) => command.id,
        other => panic!("not a command: {other:?}"),
    };
    let name = message.name();
    let result = CommandResult { id, outcome, uptime_ms: 77, receivers: None };
    peer.send(&DeviceMessage::CommandResult(result)).await;
    name
}

#[tokio::test]
async fn a_command_is_answered_by_the_device() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    harness.application("blink", b"image", 100).await;
    let mut peer = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    let caller = Caller::proxy(&harness);
    let cases = [
        ("ping", "Ping", CommandOutcome::Done, 200),
        ("reboot", "Reboot", CommandOutcome::Done, 200),
        ("restart?application=blink", "Restart", CommandOutcome::Done, 200),
        ("restart?application=blink", "Restart", CommandOutcome::NoSuchApp, 404),
        ("restart?application=blink", "Restart", CommandOutcome::NotAllowed, 409),
        ("ping", "Ping", CommandOutcome::Unsupported, 501),
        ("reboot", "Reboot", CommandOutcome::Failed, 500),
    ];
    for (rest, name, outcome, code) in &cases {
        let path = device_path(&key, rest);
        let asking = caller.json(Method::POST, &path);
        let ((status, body), answered) = tokio::join!(asking, answer(&mut peer, *outcome));
        assert_eq!((status, answered), (*code, *name), "{body}");
        if *code == 200 {
            assert_eq!((&body["outcome"], &body["uptimeMs"]), (&"Done".into(), &77.into()));
        } else {
            assert_eq!(body["kind"], "Status");
        }
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn a_command_without_an_answer_is_an_error() {
    let limits =
        Limits { command_timeout: std::time::Duration::from_millis(200), ..Limits::default() };
    let harness = Harness::start_with(limits).await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let caller = Caller::proxy(&harness);
    let path = device_path(&key, "ping");
    let (status, body) = caller.json(Method::POST, &path).await;
    assert_eq!((status, &body["reason"]), (504, &"Timeout".into()));
    peer.expect("Ping").await;
    let asking = caller.json(Method::POST, &path);
    let leaving = async {
        peer.expect("Ping").await;
        peer.close().await;
    };
    let ((status, body), ()) = tokio::join!(asking, leaving);
    assert_eq!(status, 503, "{body}");
}

#[tokio::test]
async fn probes_and_metrics_show_counts_and_nothing_of_the_devices() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    log(&mut peer, AppId([5; 16]), 1, "confidential").await;
    settle(&harness, &mut peer, &key).await;
    let address = harness.gateway.health_address.expect("served");
    let get = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.expect("accepted");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        answer
    };
    for path in ["/healthz", "/livez", "/readyz"] {
        assert!(get(path).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    let metrics = get("/metrics").await;
    for line in [
        "wasmbed_gateway_sessions 1",
        "wasmbed_gateway_enrollments_total 1",
        "wasmbed_gateway_messages_received_total{word=\"Log\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing from {metrics}");
    }
    let secrets = ["confidential", "edge", "d-", "host", &key.device_name()];
    let body = metrics.split_once("\r\n\r\n").expect("a body").1;
    for secret in secrets {
        assert!(!body.contains(secret), "{secret} is in the metrics: {body}");
    }
    assert!(get("/apis").await.starts_with("HTTP/1.1 404"));
    println!("\ncases: {}\n", 4 + 3 + secrets.len());
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("Base64 is ASCII"))
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Has the harness's API server forward the live group to the gateway.
fn aggregate(harness: &Harness) {
    let client =
        harness.front_proxy.issue("front-proxy-client", ExtendedKeyUsagePurpose::ClientAuth);
    let address = harness.gateway.live_address.expect("served");
    let forwarded = wasmbed_apiserver::AggregatedApi {
        group: "live.wasmbed.github.io".to_owned(),
        version: "v1alpha1".to_owned(),
        url: format!("https://{address}"),
        ca_pem: pem("CERTIFICATE", &harness.live_authority.certificate),
        server_name: "localhost".to_owned(),
        client_cert_pem: pem("CERTIFICATE", &client.certificates[0]),
        client_key_pem: pem("PRIVATE KEY", client.key.secret_der()),
    };
    let api = harness.api.as_ref().expect("running");
    api.set_aggregated(&[forwarded]).expect("usable certificates");
}

#[tokio::test]
async fn a_user_of_the_api_server_reads_live_data_through_it() {
    let harness = Harness::start().await;
    aggregate(&harness);
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    log(&mut peer, AppId([5; 16]), 1, "through the API server").await;
    settle(&harness, &mut peer, &key).await;
    let request = |method: Method, rest: &str| {
        let builder = Request::builder().method(method).uri(device_path(&key, rest));
        builder.body(Vec::new()).expect("a request")
    };
    let text = harness.client.request_text(request(Method::GET, "log")).await.expect("forwarded");
    assert!(text.trim_end().ends_with("through the API server"), "{text}");
    let asking = harness.client.request::<Value>(request(Method::POST, "ping"));
    let (answered, _) = tokio::join!(asking, answer(&mut peer, CommandOutcome::Done));
    assert_eq!(answered.expect("forwarded")["outcome"], "Done");
    let refused = harness.client.request_text(request(Method::GET, "nothing")).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 404));

    let follow = request(Method::GET, "log?follow=true");
    let lines = harness.client.request_stream(follow).await.expect("forwarded").lines();
    let mut lines = std::pin::pin!(lines);
    for wanted in ["through the API server", "while following"] {
        let line = timeout(PATIENCE, lines.next()).await.expect("unbuffered");
        assert!(line.expect("the stream goes on").expect("no error").ends_with(wanted));
        log(&mut peer, AppId([5; 16]), 2, "while following").await;
    }
}
