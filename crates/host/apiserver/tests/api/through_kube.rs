//! The server as controllers use it: typed kube-rs APIs, watchers in both modes, events, leases.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, ObjectReference};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::runtime::events::{Event as NewEvent, EventType, Recorder, Reporter};
use kube::runtime::watcher;
use serde_json::json;

use crate::fixture::{Fixture, gadget};

fn gadgets(client: &kube::Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("test.example", "v1", "Gadget");
    Api::namespaced_with(
        client.clone(),
        "default",
        &ApiResource::from_gvk_with_plural(&kind, "gadgets"),
    )
}

#[tokio::test]
async fn controllers_can_do_what_they_do() {
    let server = Fixture::new().await;
    let client = server.running.client();
    let api = gadgets(&client);
    let object: DynamicObject = serde_json::from_value(gadget("one", &json!({"size": 1}))).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    let status = json!({
        "apiVersion": "test.example/v1", "kind": "Gadget", "status": {"replicas": 3},
    });
    let manager = PatchParams::apply("test-controller").force();
    let patched = api.patch_status("one", &manager, &Patch::Apply(&status)).await.unwrap();
    assert_eq!(patched.data["status"]["replicas"], 3);
    let mut read = api.get("one").await.unwrap();
    read.data["spec"]["size"] = json!(2);
    let written = api.replace("one", &PostParams::default(), &read).await.unwrap();
    assert_eq!(written.metadata.generation, Some(2));
    let stale = api.replace("one", &PostParams::default(), &read).await.unwrap_err();
    assert!(matches!(stale, kube::Error::Api(ref status) if status.code == 409), "{stale}");
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    assert_eq!(api.list_metadata(&ListParams::default()).await.unwrap().items.len(), 1);
    assert!(api.get_opt("none").await.unwrap().is_none());
    api.delete("one", &DeleteParams::default()).await.unwrap();
    let missing = api.delete("one", &DeleteParams::default()).await.unwrap_err();
    assert!(matches!(missing, kube::Error::Api(ref status) if status.code == 404), "{missing}");
}

#[tokio::test]
async fn watchers_of_both_modes_follow() {
    let server = Fixture::new().await;
    let client = server.running.client();
    let api = gadgets(&client);
    let object = |name: &str| -> DynamicObject {
        serde_json::from_value(gadget(name, &json!({"size": 1}))).unwrap()
    };
    api.create(&PostParams::default(), &object("before")).await.unwrap();
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let mut stream = watcher(api.clone(), config).boxed();
        let mut seen = Vec::new();
        while let Some(event) = stream.try_next().await.unwrap() {
            match event {
                watcher::Event::Init => {}
                watcher::Event::InitApply(object) => seen.push(object.metadata.name.unwrap()),
                watcher::Event::InitDone => {
                    api.create(&PostParams::default(), &object("after")).await.unwrap();
                }
                watcher::Event::Apply(object) => {
                    seen.push(object.metadata.name.unwrap());
                    api.delete("after", &DeleteParams::default()).await.unwrap();
                }
                watcher::Event::Delete(_) => break,
            }
        }
        assert_eq!(seen, ["before", "after"]);
    }
}

#[tokio::test]
async fn events_leases_and_namespaces_work_as_typed_objects() {
    let server = Fixture::new().await;
    let client = server.running.client();
    let regarding = ObjectReference {
        api_version: Some("test.example/v1".to_owned()),
        kind: Some("Gadget".to_owned()),
        name: Some("one".to_owned()),
        namespace: Some("default".to_owned()),
        uid: Some("u".to_owned()),
        ..ObjectReference::default()
    };
    let recorder = Recorder::new(client.clone(), Reporter::from("test-controller"));
    let event = || NewEvent {
        type_: EventType::Normal,
        reason: "Tried".to_owned(),
        note: Some("it was tried".to_owned()),
        action: "Try".to_owned(),
        secondary: None,
    };
    recorder.publish(&event(), &regarding).await.unwrap();
    recorder.publish(&event(), &regarding).await.unwrap();
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    let found = ListParams::default().fields("involvedObject.name=one,involvedObject.uid=u");
    let found = events.list(&found).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message.as_deref(), Some("it was tried"));
    assert_eq!(found[0].series.as_ref().and_then(|series| series.count), Some(2));
    let leases: Api<Lease> = Api::namespaced(client.clone(), "default");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15,
                 "renewTime": "2026-01-01T00:00:00.000000Z"},
    });
    let manager = PatchParams::apply("holder-a").force();
    leases.patch("l", &manager, &Patch::Apply(&lease)).await.unwrap();
    let held = leases.get("l").await.unwrap().spec.unwrap();
    assert_eq!(held.holder_identity.as_deref(), Some("a"));
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let names: Vec<_> = namespaces.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(names.len(), 2);
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let map = json!({"metadata": {"name": "c"}, "data": {"a": "b"}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    assert_eq!(maps.get("c").await.unwrap().data.unwrap()["a"], "b");
}

#[tokio::test]
async fn a_reader_reads_all_but_secrets() {
    let server = Fixture::new().await;
    let reader = server.running.client_as("reader", &["view"]);
    let stranger = server.running.client_as("stranger", &[]);
    for (client, method, path, expected) in [
        (&reader, "GET", "/apis/test.example/v1/gadgets", "200"),
        (&reader, "GET", "/api/v1/secrets", "403 Forbidden"),
        (&reader, "POST", "/apis/test.example/v1/namespaces/default/gadgets", "403 Forbidden"),
        (&reader, "DELETE", "/api/v1/namespaces/default/configmaps/x", "403 Forbidden"),
        (&stranger, "GET", "/apis/test.example/v1/gadgets", "403 Forbidden"),
        (&stranger, "GET", "/version", "200"),
    ] {
        let answer = server.call_as(client, method, path, "", &serde_json::Value::Null).await;
        assert_eq!(answer.outcome(), expected, "{method} {path}");
    }
    println!("\ncases: 6\n");
}
