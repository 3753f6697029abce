//! Removal: finalizers, owners, namespaces, collections.

use serde_json::{Value, json};

use crate::fixture::{Fixture, GADGETS, gadget};

async fn make(server: &Fixture, name: &str, meta: Value) -> Value {
    let mut object = gadget(name, &json!({"size": 1}));
    for (field, value) in meta.as_object().unwrap() {
        object["metadata"][field] = value.clone();
    }
    server.post(GADGETS, &object).await.ok()
}

fn owned_by(owner: &Value) -> Value {
    json!({"ownerReferences": [{
        "apiVersion": "test.example/v1", "kind": "Gadget", "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }]})
}

#[tokio::test]
async fn a_finalizer_holds_an_object_until_it_is_removed() {
    let server = Fixture::new().await;
    make(&server, "one", json!({"finalizers": ["test.example/hold"]})).await;
    let one = format!("{GADGETS}/one");
    let marked = server.delete(&one, &Value::Null).await.ok();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    let again = server.delete(&one, &Value::Null).await.ok();
    assert_eq!(again["metadata"]["resourceVersion"], marked["metadata"]["resourceVersion"]);
    let added = json!({"metadata": {"finalizers": ["test.example/hold", "test.example/new"]}});
    assert_eq!(server.merge(&one, &added).await.outcome(), "422 Invalid");
    server.merge(&one, &json!({"metadata": {"finalizers": []}})).await.ok();
    assert_eq!(server.get(&one).await.code, 404);
}

#[tokio::test]
async fn preconditions_and_names_are_checked() {
    let server = Fixture::new().await;
    let one = make(&server, "one", json!({})).await;
    let path = format!("{GADGETS}/one");
    let wrong = json!({"preconditions": {"uid": "other"}});
    assert_eq!(server.delete(&path, &wrong).await.outcome(), "409 Conflict");
    let wrong = json!({"preconditions": {"resourceVersion": "1"}});
    assert_eq!(server.delete(&path, &wrong).await.outcome(), "409 Conflict");
    let right = json!({"preconditions": {"uid": one["metadata"]["uid"]}});
    let gone = server.delete(&path, &right).await.ok();
    assert_eq!(gone["status"], "Success");
    assert_eq!(gone["details"]["uid"], one["metadata"]["uid"]);
    assert_eq!(server.delete(&path, &right).await.outcome(), "404 NotFound");
}

#[tokio::test]
async fn dependents_follow_their_last_owner() {
    let server = Fixture::new().await;
    let first = make(&server, "first", json!({})).await;
    let second = make(&server, "second", json!({})).await;
    make(&server, "child", owned_by(&first)).await;
    let mut both = owned_by(&first);
    let other = owned_by(&second)["ownerReferences"][0].clone();
    both["ownerReferences"].as_array_mut().unwrap().push(other);
    let shared = make(&server, "shared", both).await;
    make(&server, "grandchild", owned_by(&shared)).await;
    server.delete(&format!("{GADGETS}/first"), &Value::Null).await.ok();
    server.until_gone(GADGETS, "child").await;
    server.delete(&format!("{GADGETS}/second"), &Value::Null).await.ok();
    server.until_gone(GADGETS, "shared").await;
    server.until_gone(GADGETS, "grandchild").await;
    // An owner that never was.
    let phantom =
        json!({"metadata": {"name": "phantom", "uid": "00000000-0000-0000-0000-000000000000"}});
    make(&server, "lost", owned_by(&phantom)).await;
    server.until_gone(GADGETS, "lost").await;
    // An owner of a kind that is not served here is nobody's business.
    let pod =
        json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]});
    make(&server, "foreign", pod).await;
    assert_eq!(server.get(&format!("{GADGETS}/foreign")).await.code, 200);
}

#[tokio::test]
async fn foreground_removes_dependents_first_and_orphan_leaves_them() {
    let server = Fixture::new().await;
    let owner = make(&server, "owner", json!({})).await;
    let mut held = owned_by(&owner);
    held["finalizers"] = json!(["test.example/hold"]);
    make(&server, "child", held).await;
    let path = format!("{GADGETS}/owner");
    let marked = server.delete(&path, &json!({"propagationPolicy": "Foreground"})).await.ok();
    assert_eq!(marked["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert_eq!(server.get(&path).await.code, 200);
    server
        .merge(&format!("{GADGETS}/child"), &json!({"metadata": {"finalizers": null}}))
        .await
        .ok();
    server.until_gone(GADGETS, "child").await;
    server.until_gone(GADGETS, "owner").await;
    let owner = make(&server, "owner", json!({})).await;
    make(&server, "child", owned_by(&owner)).await;
    server.delete(&path, &json!({"propagationPolicy": "Orphan"})).await.ok();
    let child = server.get(&format!("{GADGETS}/child")).await.ok();
    let owners = child["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
    assert_eq!(owners, 0);
}

#[tokio::test]
async fn a_namespace_takes_its_content_along() {
    let server = Fixture::new().await;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant"}});
    server.post("/api/v1/namespaces", &namespace).await.ok();
    let gadgets = "/apis/test.example/v1/namespaces/tenant/gadgets";
    let mut held = gadget("held", &json!({"size": 1}));
    held["metadata"]["finalizers"] = json!(["test.example/hold"]);
    server.post(gadgets, &held).await.ok();
    server.post(gadgets, &gadget("free", &json!({"size": 1}))).await.ok();
    let going = server.delete("/api/v1/namespaces/tenant", &Value::Null).await.ok();
    assert_eq!(going["status"]["phase"], "Terminating");
    server.until_gone(gadgets, "free").await;
    let late = server.post(gadgets, &gadget("late", &json!({"size": 1}))).await;
    assert_eq!(late.outcome(), "403 Forbidden");
    server.merge(&format!("{gadgets}/held"), &json!({"metadata": {"finalizers": []}})).await.ok();
    server.until_gone("/api/v1/namespaces", "tenant").await;
    server.post("/api/v1/namespaces", &namespace).await.ok();
    server.post(gadgets, &gadget("again", &json!({"size": 1}))).await.ok();
}

#[tokio::test]
async fn a_collection_goes_by_selector() {
    let server = Fixture::new().await;
    make(&server, "a", json!({"labels": {"x": "1"}})).await;
    make(&server, "b", json!({"labels": {"x": "2"}})).await;
    let gone = server.delete(&format!("{GADGETS}?labelSelector=x%3D1"), &Value::Null).await.ok();
    assert_eq!(gone["items"].as_array().unwrap().len(), 1);
    assert_eq!(server.get(&format!("{GADGETS}/a")).await.code, 404);
    assert_eq!(server.get(&format!("{GADGETS}/b")).await.code, 200);
}
