//! Every way in which a module can be wrong ends in a condition that says so.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasmbed_crds::limits::MODULE_BYTES_MAX;
use wasmbed_crds::{Application, condition};
use wasmbed_model::condition::kinds;

use crate::harness::{Cluster, application, digest, module};

/// Answers every request with what its path stands for, until the test ends.
async fn serve(module: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap_or(0);
            let path = String::from_utf8_lossy(&request[..count]).into_owned();
            let path = path.split(' ').nth(1).unwrap_or_default().to_owned();
            let head = |status: &str, rest: &str, length: usize| {
                format!(
                    "HTTP/1.1 {status}\r\n{rest}connection: close\r\ncontent-length: {length}\r\n\r\n"
                )
            };
            let (head, body) = match path.as_str() {
                "/good.wasm" => (head("200 OK", "", module.len()), module.clone()),
                "/moved.wasm" => (head("302 Found", "location: /good.wasm\r\n", 0), Vec::new()),
                "/circle.wasm" => (head("302 Found", "location: /circle.wasm\r\n", 0), Vec::new()),
                "/large.wasm" => {
                    let length = MODULE_BYTES_MAX + 1;
                    (head("200 OK", "", length), vec![0; length])
                }
                _ => (head("404 Not Found", "", 0), Vec::new()),
            };
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    format!("http://{address}")
}

/// A row: name, image, more of the spec, the reason of `Prepared`, a part of its message.
type Row = (&'static str, Value, Value, &'static str, &'static str);

fn from_config_maps(good: &[u8]) -> Vec<Row> {
    let source = |name: &str| json!({ "configMap": { "name": name, "key": "module.wasm" } });
    let none = || json!({});
    let mut pinned = source("good");
    pinned["configMap"]["digest"] = json!(digest(good));
    let mut wrong = source("good");
    wrong["configMap"]["digest"] = json!(digest(b"another"));
    let mut key = source("good");
    key["configMap"]["key"] = json!("other.wasm");
    vec![
        ("good", source("good"), none(), "ImageReady", "revision good-1"),
        ("pinned", pinned, none(), "ImageReady", "bytes of RAM"),
        ("missing", source("nowhere"), none(), "ConfigMapMissing", "no ConfigMap nowhere"),
        ("no-key", key, none(), "KeyMissing", "no key other.wasm"),
        ("wrong-digest", wrong, none(), "DigestMismatch", "not sha256:"),
        ("not-wasm", source("text"), none(), "NotWebAssembly", "not a WebAssembly module"),
        ("empty", source("empty"), none(), "NotWebAssembly", ""),
        ("garbage", source("garbage"), none(), "ModuleInvalid", ""),
        ("vectors", source("vectors"), none(), "FeatureUnsupported", "SIMD"),
        ("stranger", source("stranger"), none(), "ImportUnknown", "env.fork"),
        ("no-entry", source("no-entry"), none(), "EntryMissing", "run"),
        ("recursion", source("recursion"), none(), "ImageReady", "bytes of RAM"),
        (
            "recursion-limited",
            source("recursion"),
            json!({ "limits": { "stackBytes": 8 } }),
            "LimitExceeded",
            "bytes of stack",
        ),
        ("huge", source("huge"), none(), "TooLarge", "bytes"),
        (
            "no-grant",
            source("good"),
            json!({ "capabilities": [] }),
            "CapabilityMissing",
            "add to spec.capabilities log",
        ),
        (
            "no-such-grant",
            source("good"),
            json!({ "capabilities": ["log", "i2c:48"] }),
            "CapabilityUnknown",
            "i2c:48",
        ),
        (
            "prefix",
            source("good"),
            json!({ "capabilities": ["log", "telemetry:lab/"] }),
            "ImageReady",
            "",
        ),
        (
            "config",
            source("good"),
            json!({ "config": { "args": ["-v"], "env": { "LANG": "C" } } }),
            "ImageReady",
            "",
        ),
        (
            "long-config",
            source("good"),
            json!({ "config": { "args": ["x".repeat(60), "y".repeat(35)] } }),
            "TooLarge",
            "take 97 bytes",
        ),
        (
            "depth",
            source("recursion"),
            json!({ "limits": { "recursionDepth": 4 } }),
            "ImageReady",
            "",
        ),
        (
            "small-limit",
            source("good"),
            json!({ "limits": { "memoryBytes": 1000 } }),
            "LimitExceeded",
            "65536",
        ),
        (
            "large-limit",
            source("good"),
            json!({ "limits": { "memoryBytes": 70000, "stackBytes": 9000, "fuel": 5 } }),
            "ImageReady",
            "",
        ),
    ]
}

fn from_elsewhere(good: &[u8], base: &str) -> Vec<Row> {
    let http = |path: &str, module: &[u8]| json!({ "http": { "url": format!("{base}{path}"), "digest": digest(module) } });
    let closed = json!({ "http": { "url": "http://127.0.0.1:1/a", "digest": digest(good) } });
    let oci = json!({ "oci": { "reference": format!("example.org/hello@{}", digest(good)) } });
    let none = || json!({});
    vec![
        ("http", http("/good.wasm", good), none(), "ImageReady", ""),
        ("http-moved", http("/moved.wasm", good), none(), "ImageReady", ""),
        ("http-digest", http("/good.wasm", b"other"), none(), "DigestMismatch", "sha256:"),
        ("http-404", http("/nothing.wasm", good), none(), "FetchFailed", "404"),
        ("http-circle", http("/circle.wasm", good), none(), "FetchFailed", "redirects"),
        ("http-large", http("/large.wasm", good), none(), "TooLarge", "bytes"),
        ("http-closed", closed, none(), "FetchFailed", "127.0.0.1:1"),
        ("oci", oci, none(), "NotImplemented", "OCI"),
    ]
}

async fn fill(cluster: &Cluster, good: &[u8]) {
    let text = |text: &str| wat::parse_str(text).unwrap();
    let vectors = r#"(module (func (export "run") (drop (v128.const i64x2 1 2))))"#;
    let stranger = r#"(module (import "env" "fork" (func)) (func (export "run")))"#;
    let recursion = r#"(module (func $f (export "run") (call $f)))"#;
    let huge = format!(
        r#"(module (memory 2) (data (i32.const 0) "{}") (func (export "run")))"#,
        "x".repeat(70_000)
    );
    let mut garbage = good[..12].to_vec();
    garbage.extend([0xff; 40]);
    for (name, bytes) in [
        ("good", good.to_vec()),
        ("text", b"just a text".to_vec()),
        ("empty", Vec::new()),
        ("garbage", garbage),
        ("vectors", text(vectors)),
        ("stranger", text(stranger)),
        ("no-entry", text("(module (func))")),
        ("recursion", text(recursion)),
        ("huge", text(&huge)),
    ] {
        cluster.config_map(name, &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_module_ends_in_a_condition_that_says_what_happened() {
    let good = module("hello");
    let base = serve(good.clone()).await;
    let cluster = Cluster::start().await;
    fill(&cluster, &good).await;
    let mut rows = from_config_maps(&good);
    rows.extend(from_elsewhere(&good, &base));
    for (name, image, more, ..) in &rows {
        let mut object = application(name, json!({}));
        object["spec"]["image"] = image.clone();
        for (key, value) in more.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        cluster.create::<Application>(object).await;
    }
    for (name, _, _, reason, part) in &rows {
        let app = cluster.wait_reason(name, kinds::PREPARED, reason).await;
        let status = app.status.unwrap();
        let prepared = condition::find(&status.conditions, kinds::PREPARED).unwrap();
        assert!(prepared.message.contains(part), "{name}: {}", prepared.message);
        let is_good = *reason == "ImageReady";
        assert_eq!(prepared.status == "True", is_good, "{name}");
        assert_eq!(status.target_revision.is_some(), is_good, "{name}");
        let ready = condition::find(&status.conditions, kinds::READY).unwrap();
        let expected = if is_good { "NoMatchingDevices" } else { reason };
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", expected), "{name}");
    }
    println!("\ncases: {}", 4 * rows.len());
    cluster.stop().await;
}
