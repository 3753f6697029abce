//! Creates, updates and patches, and what is refused.

use serde_json::{Value, json};

use crate::fixture::{Fixture, GADGETS, gadget};

#[tokio::test]
async fn a_new_object_gets_what_the_server_gives() {
    let server = Fixture::new().await;
    let made = server.post(GADGETS, &gadget("one", &json!({"size": 3}))).await.ok();
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["metadata"]["namespace"], "default");
    assert_eq!(made["spec"], json!({"size": 3, "mode": "Fast"}));
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
    let created = made["metadata"]["creationTimestamp"].as_str().unwrap();
    assert_eq!(created.len(), "2026-01-01T00:00:00Z".len());
    let fields = &made["metadata"]["managedFields"][0];
    assert_eq!(fields["manager"], "test");
    assert_eq!(fields["operation"], "Update");
    assert_eq!(fields["fieldsV1"], json!({"f:spec": {".": {}, "f:mode": {}, "f:size": {}}}));
    assert_eq!(server.get(&format!("{GADGETS}/one")).await.ok(), made);
    let mut named = gadget("", &json!({"size": 1}));
    named["metadata"] = json!({"generateName": "gen-"});
    let named = server.post(GADGETS, &named).await.ok();
    let name = named["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
}

#[tokio::test]
async fn each_wrong_request_is_refused_for_its_own_reason() {
    let server = Fixture::new().await;
    let good = gadget("one", &json!({"size": 3}));
    server.post(GADGETS, &good).await.ok();
    let strict = format!("{GADGETS}?fieldValidation=Strict");
    let one = format!("{GADGETS}/one");
    let unknown = format!("{one}?fieldManager=m");
    let exact = format!("{GADGETS}?resourceVersionMatch=Exact");
    let with = |field: &str, value: Value| {
        let mut object = good.clone();
        object[field] = value;
        object
    };
    let foreign = "/apis/test.example/v1/namespaces/nowhere/gadgets";
    let (json, merge, patch) =
        ("application/json", "application/merge-patch+json", "application/json-patch+json");
    let strategic = "application/strategic-merge-patch+json";
    let apply = "application/apply-patch+yaml";
    let cases: Vec<(&str, &str, &str, Value, &str)> = vec![
        ("POST", GADGETS, json, good.clone(), "409 AlreadyExists"),
        ("POST", foreign, json, good.clone(), "404 NotFound"),
        ("POST", GADGETS, json, json!("{"), "400 BadRequest"),
        ("POST", GADGETS, json, json!({"kind": "Gadget"}), "400 BadRequest"),
        ("POST", GADGETS, json, with("kind", json!("Other")), "400 BadRequest"),
        ("POST", GADGETS, json, with("metadata", json!({})), "422 Invalid"),
        ("POST", GADGETS, json, with("metadata", json!({"name": "Bad_Name"})), "422 Invalid"),
        (
            "POST",
            GADGETS,
            json,
            with("metadata", json!({"name": "x", "namespace": "y"})),
            "400 BadRequest",
        ),
        ("POST", GADGETS, json, gadget("x", &json!({})), "422 Invalid"),
        ("POST", GADGETS, json, gadget("x", &json!({"size": "3"})), "422 Invalid"),
        ("POST", GADGETS, json, gadget("x", &json!({"size": 0})), "422 Invalid"),
        ("POST", GADGETS, json, gadget("x", &json!({"size": 101})), "422 Invalid"),
        ("POST", GADGETS, json, gadget("x", &json!({"size": 1, "mode": "No"})), "422 Invalid"),
        (
            "POST",
            GADGETS,
            json,
            gadget("x", &json!({"size": 1, "tags": ["a", "a"]})),
            "422 Invalid",
        ),
        ("POST", GADGETS, "text/plain", good.clone(), "415 UnsupportedMediaType"),
        ("POST", &strict, json, gadget("x", &json!({"size": 1, "bogus": 1})), "400 BadRequest"),
        (
            "POST",
            &strict,
            json,
            json!(
                r#"{"apiVersion":"test.example/v1","kind":"Gadget","metadata":{"name":"x"},"spec":{"size":1,"size":2}}"#
            ),
            "400 BadRequest",
        ),
        ("PUT", &one, json, good.clone(), "422 Invalid"),
        (
            "PUT",
            &one,
            json,
            with("metadata", json!({"name": "one", "resourceVersion": "1"})),
            "409 Conflict",
        ),
        (
            "PUT",
            &one,
            json,
            with("metadata", json!({"name": "two", "resourceVersion": "1"})),
            "400 BadRequest",
        ),
        (
            "PATCH",
            &one,
            patch,
            json!([{"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": ["test.example/x"]},
            {"op": "remove", "path": "/metadata/finalizers"}]),
            "200",
        ),
        (
            "PATCH",
            &one,
            patch,
            json!([{"op": "test", "path": "/spec/size", "value": null}]),
            "422 Invalid",
        ),
        ("PATCH", &unknown, apply, gadget("one", &json!({"bogus": 1})), "500"),
        ("GET", &exact, "", Value::Null, "422 Invalid"),
        ("PATCH", &one, merge, json!({"metadata": {"resourceVersion": "1"}}), "409 Conflict"),
        ("PATCH", &one, merge, json!({"metadata": {"uid": "other"}}), "409 Conflict"),
        ("PATCH", &one, merge, json!({"metadata": {"name": "two"}}), "400 BadRequest"),
        ("PATCH", &one, merge, json!(7), "400 BadRequest"),
        (
            "PATCH",
            &one,
            patch,
            json!([{"op": "test", "path": "/spec/size", "value": 9}]),
            "422 Invalid",
        ),
        ("PATCH", &one, patch, json!({"op": "x"}), "400 BadRequest"),
        ("PATCH", &one, strategic, json!({}), "415 UnsupportedMediaType"),
        ("PATCH", &one, apply, json!({}), "422 Invalid"),
        (
            "PATCH",
            "/apis/test.example/v1/namespaces/default/gadgets/none",
            merge,
            json!({}),
            "404 NotFound",
        ),
        ("POST", &one, json, good.clone(), "405 MethodNotAllowed"),
        (
            "GET",
            "/apis/test.example/v1/namespaces/default/nothing",
            "",
            Value::Null,
            "404 NotFound",
        ),
        (
            "GET",
            "/apis/test.example/v1/namespaces/default/gadgets/one/log",
            "",
            Value::Null,
            "404 NotFound",
        ),
        ("GET", "/apis/other.example/v1", "", Value::Null, "404 NotFound"),
        ("GET", GADGETS, "accept:text/html", Value::Null, "406 NotAcceptable"),
        (
            "POST",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            json,
            json!({}),
            "405 MethodNotAllowed",
        ),
        ("DELETE", "/api/v1/namespaces/default", json, Value::Null, "403 Forbidden"),
    ];
    for (method, path, media, body, expected) in &cases {
        let answer = server.call(method, path, media, body).await;
        assert_eq!(answer.outcome(), *expected, "{method} {path} {body}: {}", answer.body);
        if answer.code != 200 {
            assert_eq!(answer.body["apiVersion"], "v1");
            assert_eq!(answer.body["code"], answer.code);
        }
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn an_invalid_object_names_its_fields() {
    let server = Fixture::new().await;
    let wrong = gadget("x", &json!({"mode": "No", "ports": [{"number": 1}]}));
    let refused = server.post(GADGETS, &wrong).await.body;
    let causes = refused["details"]["causes"].as_array().unwrap();
    let fields: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["spec.size", "spec.mode", "spec.ports[0].name", "<nil>"]);
    let refused = server.post(GADGETS, &gadget("x", &json!({"size": 101}))).await.body;
    assert_eq!(
        refused["message"],
        "Gadget.test.example \"x\" is invalid: spec: Invalid value: size is at most 100"
    );
    let fixed = |value: &str| json!({"spec": {"fixed": value}});
    server.post(GADGETS, &gadget("y", &json!({"size": 1, "fixed": "a"}))).await.ok();
    let path = format!("{GADGETS}/y");
    assert_eq!(server.merge(&path, &fixed("b")).await.outcome(), "422 Invalid");
    assert_eq!(server.merge(&path, &fixed("a")).await.outcome(), "200");
}

#[tokio::test]
async fn unknown_fields_are_dropped_with_a_warning() {
    let server = Fixture::new().await;
    let made = server.post(GADGETS, &gadget("one", &json!({"size": 1, "bogus": 1}))).await;
    assert_eq!(made.warnings, ["299 - \"unknown field \\\"spec.bogus\\\"\""]);
    assert_eq!(made.body["spec"], json!({"size": 1, "mode": "Fast"}));
    let path = format!("{GADGETS}?fieldValidation=Ignore");
    let made = server.post(&path, &gadget("two", &json!({"size": 1, "bogus": 1}))).await;
    assert_eq!(made.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn versions_and_generations_move_only_when_something_changed() {
    let server = Fixture::new().await;
    server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    let one = format!("{GADGETS}/one");
    let status = format!("{one}/status");
    let mut last = String::new();
    for (path, patch, generation, is_new) in [
        (&one, json!({"spec": {"size": 2}}), 2, true),
        (&one, json!({"spec": {"size": 2}}), 2, false),
        (&one, json!({"metadata": {"labels": {"a": "b"}}}), 2, true),
        (&one, json!({"status": {"replicas": 3}}), 2, false),
        (&status, json!({"status": {"replicas": 3}}), 2, true),
        (&status, json!({"spec": {"size": 9}, "metadata": {"labels": {"c": "d"}}}), 2, false),
        (&one, json!({"spec": {"mode": "Slow"}}), 3, true),
    ] {
        let object = server.merge(path, &patch).await.ok();
        let version = object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        assert_eq!(object["metadata"]["generation"], generation, "{patch}");
        assert_eq!(version != last, is_new, "{patch}");
        last = version;
    }
    let object = server.get(&one).await.ok();
    assert_eq!(object["status"], json!({"replicas": 3}));
    assert_eq!(object["spec"], json!({"size": 2, "mode": "Slow"}));
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_stores_nothing() {
    let server = Fixture::new().await;
    let path = format!("{GADGETS}?dryRun=All");
    assert_eq!(server.post(&path, &gadget("one", &json!({"size": 1}))).await.code, 201);
    assert_eq!(server.post(&path, &gadget("one", &json!({"size": 0}))).await.code, 422);
    assert_eq!(server.get(&format!("{GADGETS}/one")).await.code, 404);
    server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    let (path, patch) = (format!("{GADGETS}/one?dryRun=All"), json!({"spec": {"size": 5}}));
    assert_eq!(server.merge(&path, &patch).await.ok()["spec"]["size"], 5);
    server.delete(&format!("{GADGETS}/one?dryRun=All"), &Value::Null).await.ok();
    assert_eq!(server.get(&format!("{GADGETS}/one")).await.ok()["spec"]["size"], 1);
}

#[tokio::test]
async fn scale_shows_and_sets_replicas() {
    let server = Fixture::new().await;
    server.post(GADGETS, &gadget("one", &json!({"size": 1, "replicas": 2}))).await.ok();
    let scale = format!("{GADGETS}/one/scale");
    assert_eq!(server.get(&scale).await.ok()["spec"]["replicas"], 2);
    let scaled = server.merge(&scale, &json!({"spec": {"replicas": 5}})).await.ok();
    assert_eq!(scaled["kind"], "Scale");
    assert_eq!(scaled["apiVersion"], "autoscaling/v1");
    assert_eq!(server.get(&format!("{GADGETS}/one")).await.ok()["spec"]["replicas"], 5);
    assert_eq!(server.merge(&scale, &json!({"spec": {"replicas": -1}})).await.code, 422);
}

#[tokio::test]
async fn built_in_kinds_behave_as_such() {
    let server = Fixture::new().await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "creationTimestamp": null},
        "stringData": {"password": "x"},
    });
    let secrets = "/api/v1/namespaces/default/secrets";
    let made = server.post(secrets, &secret).await.ok();
    assert_eq!(made["data"], json!({"password": "eA=="}));
    assert_eq!(made["type"], "Opaque");
    assert_eq!(made.get("stringData"), None);
    let labels = json!({"metadata": {"labels": {"a": "b"}, "$setElementOrder/finalizers": []}});
    let strategic = "application/strategic-merge-patch+json";
    let path = format!("{secrets}/s");
    let patched = server.call("PATCH", &path, strategic, &labels).await.ok();
    assert_eq!(patched["metadata"]["labels"], json!({"a": "b"}));
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reason": "Tried", "action": "Try",
        "note": "a note", "type": "Normal", "reportingController": "c", "reportingInstance": "i",
        "regarding": {"kind": "Gadget", "name": "one", "namespace": "default", "uid": "u"},
    });
    let new = "/apis/events.k8s.io/v1/namespaces/default/events";
    server.post(new, &event).await.ok();
    let query = "?fieldSelector=involvedObject.name%3Done,involvedObject.kind%3DGadget";
    let core = server.get(&format!("/api/v1/namespaces/default/events{query}")).await.ok();
    let found = &core["items"][0];
    assert_eq!(found["apiVersion"], "v1");
    assert_eq!(found["message"], "a note");
    assert_eq!(found["reportingComponent"], "c");
    let back = server.get(&format!("{new}/e")).await.ok();
    assert_eq!(back["apiVersion"], "events.k8s.io/v1");
    assert_eq!(back["note"], "a note");
    let patched = server.merge(&format!("{new}/e"), &json!({"note": "other"})).await.ok();
    assert_eq!(patched["note"], "other");
    let core = server.get("/api/v1/namespaces/default/events/e").await.ok();
    assert_eq!(core["message"], "other");
    assert_eq!(core.get("note"), None);
}
