//! Which applications want a device.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

const UID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn device() -> Device {
    serde_json::from_value(json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Device",
        "metadata": {
            "name": "d-a",
            "namespace": "default",
            "labels": { "site": "hall", "wasmbed.github.io/board": "mps2-an385" },
        },
        "spec": { "publicKey": "", "board": "mps2-an385" },
        "status": {
            "imageFormat": 1,
            "budget": { "arenaBytes": 4096, "slotBytes": 65536, "slots": 3, "guests": 2 },
        },
    }))
    .unwrap()
}

fn application(patch: Value) -> Application {
    let mut value = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "hello",
            "namespace": "default",
            "uid": UID,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "image": { "configMap": { "name": "hello", "key": "hello.wasm" } },
            "selector": {},
        },
        "status": { "targetRevision": "hello-1" },
    });
    merge(&mut value, &patch);
    serde_json::from_value(value).unwrap()
}

fn revision_of(uid: &str) -> Arc<ApplicationRevision> {
    let spec = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "ApplicationRevision",
        "metadata": { "name": "hello-1", "namespace": "default" },
        "spec": {
            "applicationRef": { "name": "hello", "uid": uid },
            "generation": 1,
            "template": { "image": {} },
            "moduleDigest": "00".repeat(32),
            "imageDigest": "11".repeat(32),
            "imageBytes": 100,
            "imageFormat": 1,
            "needs": { "arenaBytes": 512, "codeBytes": 100, "memoryBytes": 256, "stackBytes": 64 },
            "manifest": "",
            "signature": "",
        },
    });
    Arc::new(serde_json::from_value(spec).unwrap())
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[test]
fn an_application_wants_the_devices_its_selector_matches() {
    let expression = |key: &str, operator: &str, values: Value| {
        json!({ "spec": { "selector": { "matchExpressions": [
            { "key": key, "operator": operator, "values": values },
        ] } } })
    };
    let cases = [
        (json!({}), true),
        (json!({ "spec": { "selector": { "matchLabels": { "site": "hall" } } } }), true),
        (json!({ "spec": { "selector": { "matchLabels": { "site": "roof" } } } }), false),
        (json!({ "spec": { "selector": { "matchLabels": { "other": "hall" } } } }), false),
        (expression("site", "In", json!(["roof", "hall"])), true),
        (expression("site", "In", json!(["roof"])), false),
        (expression("site", "NotIn", json!(["roof"])), true),
        (expression("other", "NotIn", json!(["roof"])), true),
        (expression("other", "Exists", json!(null)), false),
        (expression("site", "Exists", json!(null)), true),
        (expression("other", "DoesNotExist", json!(null)), true),
        (expression("site", "Near", json!(["hall"])), false),
        (expression("site", "In", json!(null)), false),
        (json!({ "metadata": { "deletionTimestamp": "2026-01-02T00:00:00Z" } }), false),
        (json!({ "metadata": { "namespace": "other" } }), false),
    ];
    for (patch, expected) in &cases {
        assert_eq!(selects(&application(patch.clone()), &device()), *expected, "{patch}");
    }
    let mut denied = device();
    denied.spec.enabled = false;
    assert!(!selects(&application(json!({})), &denied));
    println!("\ncases: {}", cases.len() + 1);
}

#[test]
fn plans_the_target_revision_of_each_application() {
    let found = |uid: &'static str| move |name: &str| (name == "hello-1").then(|| revision_of(uid));
    let names = |application: Application, uid: &'static str| {
        let plan = for_device(&device(), [&application], found(uid)).unwrap();
        plan.accepted
            .iter()
            .map(|e| (e.candidate.revision.name.clone(), e.run, e.candidate.restart_token))
            .collect::<Vec<_>>()
    };
    let name = || "hello-1".to_owned();
    assert_eq!(names(application(json!({})), UID), [(name(), true, 0)]);
    let suspended = json!({ "spec": { "suspend": true, "restartedAt": "1970-01-01T00:01:00Z" } });
    assert_eq!(names(application(suspended), UID), [(name(), false, 60)]);
    // No target yet, a target that is not in the cache yet, and the revision of a former object.
    assert_eq!(names(application(json!({ "status": { "targetRevision": null } })), UID), []);
    assert_eq!(names(application(json!({ "status": { "targetRevision": "hello-2" } })), UID), []);
    let other = "11111111-89ab-cdef-0123-456789abcdef";
    assert_eq!(names(application(json!({})), other), []);
    // A device that has not said what fits gets no plan, rather than an empty one.
    let mut silent = device();
    silent.status.as_mut().unwrap().budget = None;
    assert_eq!(for_device(&silent, [&application(json!({}))], found(UID)), None);
    println!("\ncases: 6");
}
