//! The same requests to this server and, where `WASMBED_TEST_KUBECONFIG` names a kubeconfig, to a
//! real Kubernetes; both must answer alike. Without it, the expected status codes are checked.

use http::Request;
use http_body_util::BodyExt as _;
use kube::api::{Api, PostParams};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use crate::fixture::{Fixture, GADGETS, definition, gadget};

const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const PLAIN: &str = "application/json";
const TABLE: &str = "accept:application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "accept:application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

/// Method, path, media type, body, expected status code.
type Step = (&'static str, String, &'static str, Value, u16);

fn writes() -> Vec<Step> {
    let one = format!("{GADGETS}/one");
    let status = format!("{one}/status");
    let bad = |spec: Value| ("POST", GADGETS.to_owned(), PLAIN, gadget("bad", &spec), 422);
    let patch = |patch: Value, code| ("PATCH", one.clone(), MERGE, patch, code);
    let condition = json!([{"type": "Ready", "status": "True"}]);
    let strict = format!("{GADGETS}?fieldValidation=Strict");
    vec![
        (
            "POST",
            GADGETS.to_owned(),
            PLAIN,
            gadget("one", &json!({"size": 3, "tags": ["x"], "replicas": 1})),
            201,
        ),
        ("POST", GADGETS.to_owned(), PLAIN, gadget("one", &json!({"size": 3})), 409),
        ("GET", one.clone(), "", Value::Null, 200),
        ("GET", format!("{GADGETS}/none"), "", Value::Null, 404),
        ("GET", GADGETS.to_owned(), TABLE, Value::Null, 200),
        ("GET", one.clone(), TABLE, Value::Null, 200),
        ("GET", GADGETS.to_owned(), METADATA, Value::Null, 200),
        bad(json!({})),
        bad(json!({"size": "3"})),
        bad(json!({"size": 0})),
        bad(json!({"size": 101})),
        bad(json!({"size": null})),
        bad(json!({"size": 1, "mode": "No"})),
        bad(json!({"size": 1, "tags": ["a", "a"]})),
        bad(json!({"size": 1, "tags": "a"})),
        bad(json!({"size": 1, "ports": [{"number": 1}]})),
        bad(json!({"size": 1, "ports": [{"name": "a"}, {"name": "a"}]})),
        ("POST", strict, PLAIN, gadget("x", &json!({"size": 1, "bogus": 1})), 400),
        ("POST", format!("{GADGETS}?dryRun=All"), PLAIN, gadget("dry", &json!({"size": 1})), 201),
        patch(json!({"spec": {"size": 5}}), 200),
        patch(json!({"spec": {"size": 5}}), 200),
        patch(json!({"spec": {"size": 500}}), 422),
        patch(json!({"spec": {"bogus": 1}}), 200),
        patch(json!({"metadata": {"labels": {"a": "b"}}}), 200),
        patch(json!({"metadata": {"resourceVersion": "1"}}), 409),
        patch(json!({"metadata": {"name": "two"}}), 400),
        patch(json!({"metadata": {"namespace": "two"}}), 400),
        patch(json!({"status": {"replicas": 2}}), 200),
        patch(json!({"metadata": {"finalizers": ["a.example/b"]}}), 200),
        patch(json!({"metadata": {"finalizers": null}}), 200),
        patch(json!({"metadata": {"generation": 77, "creationTimestamp": null}}), 200),
        patch(json!({"spec": {"ports": [{"name": "b", "number": 2}]}}), 200),
        (
            "PATCH",
            one.clone(),
            JSON_PATCH,
            json!([{"op": "replace", "path": "/spec/size", "value": 8}]),
            200,
        ),
        (
            "PATCH",
            one.clone(),
            JSON_PATCH,
            json!([{"op": "test", "path": "/spec/size", "value": 9}]),
            422,
        ),
        ("PATCH", one.clone(), STRATEGIC, json!({}), 415),
        (
            "PATCH",
            status.clone(),
            MERGE,
            json!({"status": {"conditions": condition}, "spec": {"size": 1}}),
            200,
        ),
        (
            "PATCH",
            status.clone(),
            MERGE,
            json!({"status": {"conditions": [{"type": "Ready"}]}}),
            422,
        ),
        ("GET", status, "", Value::Null, 200),
        ("GET", format!("{one}/scale"), "", Value::Null, 200),
        ("PATCH", format!("{one}/scale"), MERGE, json!({"spec": {"replicas": 4}}), 200),
        ("PATCH", format!("{one}/scale"), MERGE, json!({"spec": {"replicas": -4}}), 422),
    ]
}

fn applies() -> Vec<Step> {
    let apply = |manager: &str, spec: Value, code| {
        let path = format!("{GADGETS}/ap?fieldManager={manager}");
        ("PATCH", path, APPLY, gadget("ap", &spec), code)
    };
    let status = |manager: &str, status: Value| {
        let path = format!("{GADGETS}/ap/status?fieldManager={manager}");
        let mut object = json!({
            "apiVersion": "test.example/v1", "kind": "Gadget", "metadata": {"name": "ap"},
        });
        object["status"] = status;
        ("PATCH", path, APPLY, object, 200)
    };
    let ports = |ports: Value| json!({"ports": ports});
    vec![
        apply(
            "a",
            json!({"size": 1, "tags": ["x", "y"], "ports": [{"name": "p", "number": 1}]}),
            201,
        ),
        apply(
            "a",
            json!({"size": 1, "tags": ["x", "y"], "ports": [{"name": "p", "number": 1}]}),
            200,
        ),
        apply("b", json!({"size": 2}), 409),
        apply("b", json!({"size": 2, "mode": "Slow"}), 409),
        apply("b&force=true", json!({"size": 2}), 200),
        apply("a", json!({"tags": ["y"], "ports": []}), 200),
        apply(
            "c",
            json!({"ports": [{"name": "q", "number": 3}, {"name": "p", "number": 1}], "tags": ["z", "x"]}),
            200,
        ),
        apply("a", ports(json!([{"name": "p"}])), 200),
        apply("a", ports(json!([{"name": "p", "number": 8}])), 409),
        apply("c", json!({}), 200),
        apply("x", json!({"bogus": 1}), 500),
        apply("x", json!({"size": 2, "ports": null}), 200),
        status("s1", json!({"conditions": [{"type": "Ready", "status": "True"}], "replicas": 1})),
        status("s2", json!({"conditions": [{"type": "Live", "status": "True"}]})),
        status("s1", json!({"conditions": []})),
        (
            "PATCH",
            format!("{GADGETS}/ap?fieldManager=up"),
            MERGE,
            json!({"spec": {"size": 12, "tags": ["n"]}}),
            200,
        ),
        apply("b", json!({"size": 3}), 409),
    ]
}

fn others() -> Vec<Step> {
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
    let lease = |time: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
            "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": time},
        })
    };
    let list = |query: &str, code| ("GET", format!("{GADGETS}?{query}"), "", Value::Null, code);
    let delete =
        |name: &str, body: Value, code| ("DELETE", format!("{GADGETS}/{name}"), PLAIN, body, code);
    let micro = "2026-01-01T00:00:00.000000Z";
    vec![
        list("labelSelector=a%3Db", 200),
        list("labelSelector=a+in+(b,c)", 200),
        list("labelSelector=!a", 200),
        list("labelSelector=a+b", 400),
        list("fieldSelector=metadata.name%3Done", 200),
        list("fieldSelector=spec.size%3D1", 400),
        list("resourceVersionMatch=NotOlderThan", 422),
        ("POST", CONFIG_MAPS.to_owned(), PLAIN, map(json!({"a": "b"})), 201),
        ("PATCH", format!("{CONFIG_MAPS}/c"), STRATEGIC, json!({"data": {"c": "d"}}), 200),
        ("PATCH", format!("{CONFIG_MAPS}/c?fieldManager=m"), APPLY, map(json!({"a": "z"})), 409),
        ("PUT", format!("{CONFIG_MAPS}/c"), PLAIN, map(json!({"e": "f"})), 200),
        ("DELETE", format!("{CONFIG_MAPS}/c"), PLAIN, Value::Null, 200),
        ("POST", LEASES.to_owned(), PLAIN, lease("2026-01-01T00:00:00Z"), 400),
        ("POST", LEASES.to_owned(), PLAIN, lease(micro), 201),
        ("PATCH", format!("{LEASES}/l?fieldManager=h"), APPLY, lease(micro), 200),
        ("PATCH", format!("{LEASES}/l"), MERGE, json!({"spec": {"leaseDurationSeconds": 0}}), 422),
        ("DELETE", format!("{LEASES}/l"), PLAIN, Value::Null, 200),
        delete("none", Value::Null, 404),
        delete("one", json!({"preconditions": {"uid": "x"}}), 409),
        delete("one", json!({"propagationPolicy": "Background"}), 200),
        delete("ap", Value::Null, 200),
    ]
}

#[tokio::test]
async fn both_servers_answer_alike() {
    let server = Fixture::new().await;
    let ours = run(&server.running.client()).await;
    let mut compared = 0;
    if let Some(reference) = reference().await {
        let mut differences = Vec::new();
        for ((what, ours), (_, theirs)) in ours.iter().zip(run(&reference).await) {
            if *ours != theirs {
                let only = |a: &str, b: &str| {
                    let lines = a.lines().filter(|line| !b.lines().any(|other| other == *line));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let (here, there) = (only(ours, &theirs), only(&theirs, ours));
                differences.push(format!("{what}\nhere:\n{here}\nthere:\n{there}\n"));
            }
            compared += 1;
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
    println!("\ncases: {}\n", ours.len() + compared);
}

/// A client of the reference cluster, with Gadget defined and none of them there.
async fn reference() -> Option<kube::Client> {
    let path = std::env::var("WASMBED_TEST_KUBECONFIG").ok()?;
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options);
    // Another test of this process may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = kube::Client::try_from(config.await.unwrap()).unwrap();
    let definitions = Api::all(client.clone());
    match definitions.create(&PostParams::default(), &definition()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("{error}"),
    }
    let name = definition().metadata.name.unwrap();
    await_condition(definitions, &name, is_crd_established()).await.unwrap();
    send(&client, &("DELETE", GADGETS.to_owned(), PLAIN, Value::Null, 200)).await;
    Some(client)
}

async fn run(client: &kube::Client) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for step in writes().into_iter().chain(applies()).chain(others()) {
        let (code, body) = send(client, &step).await;
        let (method, path, _, sent, expected) = &step;
        let what = format!("{method} {path} {sent}");
        assert_eq!(code, *expected, "{what}: {body}");
        answers.push((what, comparable(code, body)));
    }
    answers
}

async fn send(client: &kube::Client, step: &Step) -> (u16, Value) {
    let (method, path, media, body, _) = step;
    let mut request = Request::builder().method(*method).uri(path).header("user-agent", "test/1");
    request = match media.strip_prefix("accept:") {
        Some(accept) => request.header("accept", accept),
        None if media.is_empty() => request,
        None => request.header("content-type", *media),
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let answer = client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// What has to be equal: all of an object but what differs by chance; of a refusal, its reason, and
/// the fields and managers that it names.
fn comparable(code: u16, mut body: Value) -> String {
    if code >= 400 {
        let causes = body["details"]["causes"].as_array().cloned().unwrap_or_default();
        let fields: Vec<_> =
            causes.iter().map(|cause| format!("{} {}", cause["reason"], cause["field"])).collect();
        // The options and labels of queries are explained in words of each server's own.
        let is_about_object = body["details"]["group"] != "meta.k8s.io";
        let fields = if is_about_object { fields } else { Vec::new() };
        return format!("{code} {} {fields:?}", body["reason"]);
    }
    if body["kind"] == "Table" {
        // Descriptions and ages are for people.
        let cells = body["rows"].as_array().unwrap().iter();
        let cells = cells.map(|row| json!(row["cells"].as_array().unwrap()[..4])).collect();
        body = Value::Array(cells);
    }
    level(&mut body);
    let sorted: std::collections::BTreeMap<String, Value> = match body {
        Value::Object(fields) => fields.into_iter().collect(),
        other => [("value".to_owned(), other)].into(),
    };
    format!("{code} {}", serde_json::to_string_pretty(&sorted).unwrap())
}

/// Levels what differs by chance, and the order of fields.
fn level(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // Versions count everything that a cluster does; an empty token means none.
            for name in ["resourceVersion", "uid", "creationTimestamp", "time", "continue"] {
                fields.shift_remove(name);
            }
            let mut sorted: Vec<_> = std::mem::take(fields).into_iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            fields.extend(sorted);
            fields.values_mut().for_each(level);
            if let Some(Value::Array(managers)) = fields.get_mut("managedFields") {
                managers.sort_by_key(ToString::to_string);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(level),
        _ => {}
    }
}
