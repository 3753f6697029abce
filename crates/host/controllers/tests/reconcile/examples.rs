//! The manifests in `examples/`: every kind has one, every one is taken whole, and is what its
//! comments say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Api;
use kube::api::{DynamicObject, ObjectMeta, Patch, PatchParams, ValidationDirective};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{CustomResourceExt, ResourceExt};
use serde_json::json;
use wasmbed_crds::{Application, ApplicationRevision, Device, Enrollment, Gateway, condition};
use wasmbed_model::condition::kinds;
use wasmbed_model::ids;

use crate::harness::{Cluster, module};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/manifests")
}

/// Every manifest, by file name.
fn manifests() -> BTreeMap<String, DynamicObject> {
    let mut manifests = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let object = serde_saphyr::from_str(&text);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            manifests.insert(name, object.unwrap_or_else(|error| panic!("{path:?}: {error}")));
        }
    }
    manifests
}

fn kind_of(object: &DynamicObject) -> &str {
    &object.types.as_ref().unwrap().kind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_has_a_manifest_and_the_api_takes_it_whole() {
    let manifests = manifests();
    let mut kinds: Vec<_> = manifests.values().map(|object| kind_of(object).to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    let mut expected: Vec<_> =
        wasmbed_crds::all().into_iter().map(|definition| definition.spec.names.kind).collect();
    expected.sort();
    assert_eq!(kinds, expected);

    let cluster = Cluster::start().await;
    let client = || cluster.client.clone();
    let params = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("example").force()
    };
    for (file, object) in &manifests {
        let types = object.types.as_ref().unwrap();
        let (group, version) = types.api_version.split_once('/').unwrap();
        let kind = GroupVersionKind::gvk(group, version, &types.kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(client(), &cluster.namespace, &ApiResource::from_gvk(&kind));
        let applied = api.patch(&object.name_any(), &params, &Patch::Apply(object)).await;
        let applied = applied.unwrap_or_else(|error| panic!("{file}: {error}"));
        // Nothing that the manifest says was dropped or changed.
        assert_contains(&applied.data["spec"], &object.data["spec"], file);
    }

    cluster.wait_reason("hello", kinds::PREPARED, "ConfigMapMissing").await;
    cluster.config_map("hello", &module("hello")).await;
    cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    let ready = |conditions: &[_], reason: &str| {
        condition::find(conditions, kinds::READY).is_some_and(|ready| ready.reason == reason)
    };
    let device = manifests["device.yaml"].name_any();
    let says = |one: &Device| {
        one.status.as_ref().is_some_and(|status| ready(&status.conditions, "PendingApproval"))
    };
    cluster.wait(&device, "a key that belongs to the name", says).await;
    let says = |one: &Enrollment| one.status.as_ref().is_some_and(|s| ready(&s.conditions, "Open"));
    cluster.wait("hall-7", "open", says).await;
    let says =
        |one: &Gateway| one.status.as_ref().is_some_and(|s| ready(&s.conditions, "NoReplica"));
    cluster.wait("gateway", "without a process", says).await;
    println!("\ncases: {}", 1 + 2 * manifests.len() + 5);
    cluster.stop().await;
}

/// Whether all of `part` is in `whole`.
#[track_caller]
fn assert_contains(whole: &serde_json::Value, part: &serde_json::Value, file: &str) {
    match (whole, part) {
        (serde_json::Value::Object(whole), serde_json::Value::Object(part)) => {
            for (key, part) in part {
                let whole = whole.get(key).unwrap_or_else(|| panic!("{file}: {key} was dropped"));
                assert_contains(whole, part, file);
            }
        }
        (whole, part) => assert_eq!(whole, part, "{file}"),
    }
}

/// Set it to have the example of a revision made anew.
const UPDATE: &str = "WASMBED_UPDATE_GENERATED";

/// Writes what the controllers make of a small guest into the example, below its comment.
async fn write_revision() {
    let cluster = Cluster::start().await;
    cluster.config_map("hello", &module("hello")).await;
    let spec = json!({
        "image": { "configMap": { "name": "hello", "key": "module.wasm" } },
        "selector": {},
        "capabilities": ["log", "timer"],
    });
    cluster.create::<Application>(json!({ "metadata": { "name": "hello" }, "spec": spec })).await;
    cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    let mut made = cluster.api::<ApplicationRevision>().get("hello-1").await.unwrap();
    made.metadata = ObjectMeta {
        name: Some("hello-example".to_owned()),
        labels: made.metadata.labels,
        ..ObjectMeta::default()
    };
    made.status = None;
    let path = folder().join("application-revision.yaml");
    let old = std::fs::read_to_string(&path).unwrap();
    let comment: String =
        old.split_inclusive('\n').take_while(|line| line.starts_with('#')).collect();
    std::fs::write(path, comment + &serde_saphyr::to_string(&made).unwrap()).unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_revision_is_a_real_one() {
    if std::env::var_os(UPDATE).is_some() {
        write_revision().await;
    }
    let object = manifests().remove("application-revision.yaml").unwrap();
    let revision: ApplicationRevision =
        serde_json::from_value(serde_json::to_value(&object).unwrap()).unwrap();
    let spec = &revision.spec;
    let bytes = STANDARD.decode(&spec.manifest).unwrap();
    let manifest = wasmbed_image::Manifest::decode(&bytes).unwrap();
    assert_eq!(manifest.app_name, spec.application_ref.name);
    assert_eq!(Some(manifest.app_uid), ids::parse_uid(&spec.application_ref.uid).map(|uid| uid.0));
    assert_eq!(manifest.generation as i64, spec.generation);
    assert_eq!(ids::Digest(manifest.image_digest).to_string(), spec.image_digest);
    assert_eq!(i64::from(manifest.image_bytes), spec.image_bytes);
    assert_eq!(i32::from(manifest.priority), spec.template.priority);
    assert_eq!(STANDARD.decode(&spec.signature).unwrap().len(), 64);
    assert_eq!(object.types.unwrap().kind, ApplicationRevision::api_resource().kind);
    assert_eq!(Application::crd().spec.names.kind, "Application");
    println!("\ncases: 9");
}
