//! What the definitions refuse, and what they fill in.

use serde_json::{Value, json};
use wasmbed_crds::{Application, ApplicationRevision, Device, Enrollment, Gateway, VirtualDevice};

use crate::harness::{Cluster, digest};

fn with(name: &str, spec: Value) -> Value {
    json!({ "metadata": { "name": name }, "spec": spec })
}

fn application(image: Value) -> Value {
    json!({ "image": image, "selector": {} })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_what_makes_no_sense() {
    let cluster = Cluster::without_controllers().await;
    let map = json!({ "name": "a", "key": "b" });
    let http = json!({ "url": "https://example.org/a.wasm", "digest": digest(b"") });
    let ftp = json!({ "url": "ftp://example.org/a.wasm", "digest": digest(b"") });
    let short = json!({ "name": "a", "key": "b", "digest": "sha256:00" });
    let reference = json!({ "reference": "example.org/a:latest" });
    // Name, spec; whether it is taken.
    let long = "a".repeat(64);
    let applications = [
        ("a-map", application(json!({ "configMap": map })), true),
        ("a-http", application(json!({ "http": http })), true),
        ("none", application(json!({})), false),
        ("two", application(json!({ "configMap": map, "http": http })), false),
        ("scheme", application(json!({ "http": ftp })), false),
        ("short-digest", application(json!({ "configMap": short })), false),
        ("tag", application(json!({ "oci": reference })), false),
        (long.as_str(), application(json!({ "configMap": map })), false),
    ];
    for (name, spec, taken) in &applications {
        let result = cluster.try_create::<Application>(with(name, spec.clone())).await;
        assert_eq!(result.is_ok(), *taken, "{name}: {result:?}");
    }
    let fields = [
        (json!({ "priority": 40000 }), false),
        (json!({ "priority": -32768 }), true),
        (json!({ "limits": { "fuel": 0 } }), false),
        (json!({ "limits": { "memoryBytes": -1 } }), false),
        (json!({ "capabilities": ["Log"] }), false),
        (json!({ "capabilities": ["telemetry:lab/x"] }), true),
        (json!({ "capabilities": ["log", "log"] }), false),
        (json!({ "capabilities": vec!["log"; 17] }), false),
        (json!({ "limits": { "recursionDepth": 0 } }), false),
        (json!({ "limits": { "recursionDepth": 40 } }), true),
        (json!({ "config": { "args": ["-v", ""], "env": { "LANG": "C" } } }), true),
        (json!({ "config": { "args": ["a\u{0}"] } }), false),
        (json!({ "config": { "env": { "A": "x".repeat(95) } } }), false),
    ];
    for (patch, taken) in &fields {
        let result = cluster.patch::<Application>("a-map", json!({ "spec": patch })).await;
        assert_eq!(result.is_ok(), *taken, "{patch}: {result:?}");
    }
    let key = format!("{}=", "A".repeat(43));
    let devices = [(key.as_str(), true), ("AAAA", false), (&"A".repeat(44), false)];
    for (index, (key, taken)) in devices.iter().enumerate() {
        let spec = json!({ "publicKey": key, "board": "mps2-an385" });
        let result = cluster.try_create::<Device>(with(&format!("d-{index}"), spec)).await;
        assert_eq!(result.is_ok(), *taken, "{key}: {result:?}");
    }
    let ports = [(0, false), (1, true), (65535, true), (65536, false)];
    for (port, taken) in ports {
        let spec = json!({ "endpoint": { "host": "localhost", "port": port } });
        let result = cluster.try_create::<Gateway>(with(&format!("g-{port}"), spec)).await;
        assert_eq!(result.is_ok(), taken, "{port}: {result:?}");
    }
    let tokens = [("0".repeat(64), true), ("0".repeat(63), false), ("G".repeat(64), false)];
    for (index, (token, taken)) in tokens.iter().enumerate() {
        let spec = json!({ "tokenSha256": token });
        let result = cluster.try_create::<Enrollment>(with(&format!("e-{index}"), spec)).await;
        assert_eq!(result.is_ok(), *taken, "{token}: {result:?}");
    }
    let count = applications.len() + fields.len() + devices.len() + ports.len() + tokens.len();
    println!("\ncases: {count}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fixed_cannot_be_changed() {
    let cluster = Cluster::without_controllers().await;
    let key = format!("{}=", "A".repeat(43));
    let other_key = format!("{}=", "B".repeat(42) + "A");
    let spec = json!({ "publicKey": key, "board": "mps2-an385" });
    cluster.create::<Device>(with("d-a", spec)).await;
    let spec = json!({ "tokenSha256": "0".repeat(64) });
    cluster.create::<Enrollment>(with("token", spec)).await;
    cluster.create::<VirtualDevice>(with("vd", json!({ "board": "mps2-an385" }))).await;
    let spec = json!({
        "applicationRef": { "name": "a", "uid": "01234567-89ab-cdef-0123-456789abcdef" },
        "generation": 1,
        "template": { "image": { "configMap": { "name": "a", "key": "b" } } },
        "moduleDigest": "0".repeat(64), "imageDigest": "0".repeat(64),
        "imageBytes": 1, "imageFormat": 1,
        "needs": { "arenaBytes": 1, "codeBytes": 1, "memoryBytes": 1, "stackBytes": 1 },
        "manifest": "AAAA", "signature": format!("{}==", "A".repeat(86)),
    });
    cluster.create::<ApplicationRevision>(with("a-1", spec)).await;

    let refused = |result: kube::Result<()>, what: &str| match result {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 422, "{what}: {status:?}"),
        other => panic!("{what}: {other:?}"),
    };
    let spec = |field: &str, value: Value| json!({ "spec": { field: value } });
    let device = cluster.patch::<Device>("d-a", spec("publicKey", json!(other_key))).await;
    refused(device.map(drop), "publicKey");
    let token = spec("tokenSha256", json!("1".repeat(64)));
    refused(cluster.patch::<Enrollment>("token", token).await.map(drop), "tokenSha256");
    let board = spec("board", json!("mps2-an500"));
    refused(cluster.patch::<VirtualDevice>("vd", board).await.map(drop), "board");
    for (field, value) in [("generation", json!(2)), ("manifest", json!("BBBB"))] {
        let patched = cluster.patch::<ApplicationRevision>("a-1", spec(field, value)).await;
        refused(patched.map(drop), field);
    }
    // The rest can.
    cluster.patch::<Device>("d-a", spec("enabled", json!(false))).await.unwrap();
    cluster.patch::<Enrollment>("token", spec("maxUses", json!(2))).await.unwrap();
    cluster.patch::<VirtualDevice>("vd", spec("power", json!("Off"))).await.unwrap();
    println!("\ncases: 8");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fills_in_what_is_left_out() {
    let cluster = Cluster::without_controllers().await;
    let map = json!({ "configMap": { "name": "a", "key": "b" } });
    let app: Application = cluster.create(with("a", application(map))).await;
    let spec = serde_json::to_value(&app.spec).unwrap();
    assert_eq!(spec["restartPolicy"], "Always");
    assert_eq!(spec["priority"], 0);
    assert_eq!(spec["suspend"], false);
    assert_eq!(spec["rollout"]["strategy"], "AllAtOnce");
    let token: Enrollment =
        cluster.create(with("t", json!({ "tokenSha256": "0".repeat(64) }))).await;
    assert_eq!((token.spec.max_uses, token.spec.auto_approve), (1, true));
    let spec = json!({ "endpoint": { "host": "localhost", "port": 1 } });
    let gateway: Gateway = cluster.create(with("g", spec)).await;
    assert_eq!(gateway.spec.heartbeat_timeout_seconds, 30);
    assert_eq!(gateway.spec.sessions_max, 10_000);
    println!("\ncases: 8");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_capability_or_variable_is_told_what_is_allowed() {
    let cluster = Cluster::without_controllers().await;
    let map = json!({ "configMap": { "name": "a", "key": "b" } });
    cluster.create::<Application>(with("a", application(map))).await;
    let capability = |text: &str| json!({ "spec": { "capabilities": ["log", text] } });
    let variable = |name: &str| json!({ "spec": { "config": { "env": { name: "1" } } } });
    let cases = [
        (capability("telemetry:room/@10/s"), None),
        (capability("send:chat/@65535/h"), None),
        (capability("receive"), None),
        (capability("storage:256"), None),
        (capability("led:0"), None),
        (capability("button:1"), None),
        (capability("i2c:0x48"), None),
        (capability("uart:0"), None),
        (capability("args"), None),
        (variable("RUST_LOG"), None),
        (capability("gpio:1"), Some("one of log, clock, timer, random, args, telemetry")),
        (capability("logs"), Some("one of log, clock")),
        (capability("telemetry:room@10"), Some("@COUNT/UNIT at the end, with UNIT s, m or h")),
        (capability("telemetry@0/s"), Some("@COUNT/UNIT")),
        (capability("telemetry@10/d"), Some("@COUNT/UNIT")),
        (capability("send:two words"), Some("no spaces")),
        (variable("1A"), Some("letters, digits and _ only")),
        (variable("A=B"), Some("letters, digits and _ only")),
    ];
    for (patch, said) in &cases {
        match (cluster.patch::<Application>("a", patch.clone()).await, said) {
            (Ok(_), None) => {}
            (Err(kube::Error::Api(status)), Some(said)) => {
                assert_eq!(status.code, 422, "{patch}: {status:?}");
                assert!(status.message.contains(said), "{patch}: {}", status.message);
            }
            (found, _) => panic!("{patch}: {found:?}"),
        }
    }
    println!("\ncases: {}", cases.len());
    cluster.stop().await;
}
