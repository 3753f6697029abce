//! Server-side apply over HTTP; how values merge is tested beside the code.

use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, GADGETS, gadget};

async fn apply(server: &Fixture, manager: &str, path: &str, spec: &Value) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = format!("{GADGETS}/{path}?fieldManager={manager}&{query}");
    server.call("PATCH", &path, "application/apply-patch+yaml", spec).await
}

#[tokio::test]
async fn an_apply_creates_then_changes_then_leaves_alone() {
    let server = Fixture::new().await;
    let config = gadget("one", &json!({"size": 1, "tags": ["a"]}));
    let made = apply(&server, "m", "one", &config).await;
    assert_eq!(made.code, 201);
    assert_eq!(made.body["spec"]["mode"], "Fast");
    let entry = &made.body["metadata"]["managedFields"][0];
    assert_eq!(entry["operation"], "Apply");
    assert_eq!(entry["fieldsV1"], json!({"f:spec": {"f:size": {}, "f:tags": {"v:\"a\"": {}}}}));
    let same = apply(&server, "m", "one", &config).await;
    assert_eq!((same.code, &same.body), (200, &made.body));
    let less = apply(&server, "m", "one", &gadget("one", &json!({"size": 1}))).await.ok();
    assert_eq!(less["spec"], json!({"size": 1, "mode": "Fast"}));
    let null = apply(&server, "m", "one", &gadget("one", &json!({"size": 1, "ports": null}))).await;
    assert_eq!(null.ok()["spec"], less["spec"]);
    let yaml = json!(
        "apiVersion: test.example/v1\nkind: Gadget\nmetadata: {name: two}\nspec: {size: 4}\n"
    );
    assert_eq!(apply(&server, "m", "two", &yaml).await.ok()["spec"]["size"], 4);
}

#[tokio::test]
async fn two_managers_conflict_by_field() {
    let server = Fixture::new().await;
    apply(&server, "a", "one", &gadget("one", &json!({"size": 1}))).await.ok();
    let other = gadget("one", &json!({"size": 2}));
    let refused = apply(&server, "b", "one", &other).await;
    assert_eq!(refused.outcome(), "409 Conflict");
    assert_eq!(
        refused.body["message"],
        "Apply failed with 1 conflict: conflict with \"a\": .spec.size"
    );
    let cause = &refused.body["details"]["causes"][0];
    assert_eq!(cause["reason"], "FieldManagerConflict");
    assert_eq!(cause["field"], ".spec.size");
    let forced = apply(&server, "b", "one?force=true", &other).await.ok();
    assert_eq!(forced["spec"]["size"], 2);
    let owners: Vec<_> = forced["metadata"]["managedFields"].as_array().unwrap().iter().collect();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0]["manager"], "b");
    // A write that is no apply takes fields without asking.
    let taken = server.merge(&format!("{GADGETS}/one"), &json!({"spec": {"size": 3}})).await.ok();
    assert_eq!(taken["metadata"]["managedFields"][0]["manager"], "test");
    let refused = apply(&server, "b", "one", &other).await;
    assert_eq!(
        refused.body["message"],
        "Apply failed with 1 conflict: conflict with \"test\" using test.example/v1: .spec.size"
    );
}

#[tokio::test]
async fn status_is_applied_by_itself() {
    let server = Fixture::new().await;
    apply(&server, "user", "one", &gadget("one", &json!({"size": 1}))).await.ok();
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
    let status = |conditions: Value| {
        let mut object = gadget("one", &json!({"size": 9}));
        object["status"] = json!({"conditions": conditions});
        object
    };
    let first = status(json!([condition("Ready", "True")]));
    let second = status(json!([condition("Connected", "True")]));
    apply(&server, "c1", "one/status?force=true", &first).await.ok();
    let both = apply(&server, "c2", "one/status?force=true", &second).await.ok();
    assert_eq!(both["spec"]["size"], 1);
    assert_eq!(both["status"]["conditions"].as_array().unwrap().len(), 2);
    let kept = apply(&server, "c1", "one/status?force=true", &status(json!([]))).await.ok();
    assert_eq!(kept["status"]["conditions"], json!([condition("Connected", "True")]));
    assert_eq!(kept["metadata"]["generation"], 1);
    let none = apply(&server, "c1", "none/status", &first).await;
    assert_eq!(none.outcome(), "400 BadRequest");
    let mut none = first.clone();
    none["metadata"]["name"] = json!("none");
    assert_eq!(apply(&server, "c1", "none/status", &none).await.outcome(), "404 NotFound");
}
