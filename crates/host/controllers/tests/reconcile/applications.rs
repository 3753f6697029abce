//! The life of an Application: revisions, updates, counts, deletion.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use wasmbed_crds::{Application, ApplicationRevision, Device, condition};
use wasmbed_model::condition::kinds;
use wasmbed_model::ids;
use wasmbed_model::image_store::ImageStore;

use crate::harness::{Cluster, application, digest, module};

fn from_map(name: &str) -> Value {
    json!({ "name": name, "key": "module.wasm" })
}

async fn revisions(cluster: &Cluster) -> Vec<String> {
    let list = cluster.api::<ApplicationRevision>().list(&ListParams::default()).await.unwrap();
    let mut names: Vec<_> = list.iter().map(|one| (one.spec.generation, one.name_any())).collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_holds_what_a_device_verifies() {
    let cluster = Cluster::start().await;
    let bytes = module("hello");
    cluster.config_map("hello", &bytes).await;
    let mut object = application("hello", from_map("hello"));
    object["spec"]["limits"] = json!({ "fuel": 1000 });
    object["spec"]["priority"] = json!(-3);
    object["spec"]["restartPolicy"] = json!("OnFailure");
    let app: Application = cluster.create(object).await;
    let ready = cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    assert_eq!(ready.status.unwrap().target_revision.as_deref(), Some("hello-1"));

    let revision = cluster.api::<ApplicationRevision>().get("hello-1").await.unwrap();
    let owner = &revision.owner_references()[0];
    assert_eq!((owner.uid.clone(), owner.controller), (app.uid().unwrap(), Some(true)));
    let spec = revision.spec;
    assert_eq!(spec.module_digest, ids::sha256(&bytes).to_string());
    let image = ids::parse_digest(&spec.image_digest).unwrap();
    let stored = cluster.images.read(&image).unwrap().unwrap();
    assert_eq!(stored.len() as i64, spec.image_bytes);

    let manifest_bytes = STANDARD.decode(&spec.manifest).unwrap();
    let signature = STANDARD.decode(&spec.signature).unwrap().try_into().unwrap();
    let message: &[&[u8]] = &[wasmbed_image::SIGNED_PREFIX, &manifest_bytes];
    let key = cluster.signer.public_key();
    assert!(wasmbed_curve::ed25519::verify(&key, message, &signature).is_ok());
    let manifest = wasmbed_image::Manifest::decode(&manifest_bytes).unwrap();
    assert_eq!((manifest.namespace, manifest.app_name), (cluster.namespace.as_str(), "hello"));
    assert_eq!(manifest.app_uid, ids::parse_uid(&app.uid().unwrap()).unwrap().0);
    assert_eq!((manifest.generation, manifest.image_digest), (1, image.0));
    assert_eq!(manifest.image_bytes as usize, stored.len());
    assert_eq!((manifest.limits.fuel, manifest.priority), (Some(1000), -3));
    assert_eq!(manifest.restart_policy, wasmbed_image::RestartPolicy::OnFailure);
    assert!(manifest.grants.has(wasmbed_image::Capability::Log));
    assert!(!manifest.grants.has(wasmbed_image::Capability::Clock));

    let header = wasmbed_image::Image::parse(&stored).unwrap().header;
    let grants = u64::from(manifest.grants.arena_bytes());
    let arena = [stored.len() as u64, header.arena_bytes(), grants];
    let arena = arena.map(|bytes| bytes.next_multiple_of(8));
    assert_eq!(spec.needs.arena_bytes, arena.iter().sum::<u64>() as i64);
    println!("\ncases: 17");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_is_made_when_what_is_signed_changes_and_only_then() {
    let cluster = Cluster::start().await;
    let bytes = ["one", "two", "three"].map(module);
    for (name, bytes) in ["one", "two"].iter().zip(&bytes) {
        cluster.config_map(name, bytes).await;
    }
    cluster.create::<Application>(application("app", from_map("one"))).await;
    let image = |name: &str| json!({ "spec": { "image": { "configMap": from_map(name) } } });
    // A change of the spec, and the target revision afterwards.
    let steps = [
        (json!({}), "app-1"),
        (json!({ "spec": { "suspend": true } }), "app-1"),
        (json!({ "spec": { "suspend": false, "restartedAt": "2026-11-22T12:00:00Z" } }), "app-1"),
        (json!({ "spec": { "selector": { "matchLabels": { "a": "b" } } } }), "app-1"),
        (image("two"), "app-5"),
        // Undo: the old module, in a new generation.
        (image("one"), "app-6"),
        (json!({ "spec": { "priority": 1 } }), "app-7"),
        (json!({ "spec": { "restartPolicy": "Never" } }), "app-8"),
        (json!({ "spec": { "limits": { "fuel": 9 } } }), "app-9"),
        (json!({ "spec": { "capabilities": ["timer", "log"] } }), "app-10"),
        (json!({ "spec": { "capabilities": ["log", "timer"] } }), "app-10"),
    ];
    for (patch, target) in &steps {
        cluster.patch::<Application>("app", patch.clone()).await.unwrap();
        let app = cluster.wait_reason("app", kinds::PREPARED, "ImageReady").await;
        assert_eq!(app.status.unwrap().target_revision.as_deref(), Some(*target), "{patch}");
    }
    let one = cluster.api::<ApplicationRevision>().get("app-1").await.unwrap();
    let undone = cluster.api::<ApplicationRevision>().get("app-6").await.unwrap();
    assert_eq!(one.spec.image_digest, undone.spec.image_digest);
    assert_ne!(one.spec.manifest, undone.spec.manifest);

    // A ConfigMap that changes under a spec without digest counts from the next generation on.
    let data = k8s_openapi::ByteString(bytes[2].clone());
    let changed = json!({ "binaryData": { "module.wasm": data } });
    cluster.patch::<ConfigMap>("one", changed).await.unwrap();
    let patch = json!({ "spec": { "suspend": true } });
    cluster.patch::<Application>("app", patch).await.unwrap();
    let app = cluster.wait_reason("app", kinds::PREPARED, "ImageReady").await;
    let target = app.status.unwrap().target_revision.unwrap();
    let generation = app.metadata.generation.unwrap();
    assert_eq!(target, format!("app-{generation}"));
    let revision = cluster.api::<ApplicationRevision>().get(&target).await.unwrap();
    assert_eq!(revision.spec.module_digest, ids::sha256(&bytes[2]).to_string());
    println!("\ncases: {}", steps.len() + 4);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_wrong_can_be_put_right() {
    let cluster = Cluster::start().await;
    let bytes = module("late");
    let mut source = from_map("late");
    source["digest"] = json!(digest(&bytes));
    cluster.create::<Application>(application("late", source)).await;
    cluster.wait_reason("late", kinds::PREPARED, "ConfigMapMissing").await;
    let object = json!({ "metadata": { "name": "late" }, "binaryData": {} });
    cluster.create::<ConfigMap>(object).await;
    cluster.wait_reason("late", kinds::PREPARED, "KeyMissing").await;
    for (bytes, reason) in [(module("wrong"), "DigestMismatch"), (bytes, "ImageReady")] {
        let data = k8s_openapi::ByteString(bytes);
        let patch = json!({ "binaryData": { "module.wasm": data } });
        cluster.patch::<ConfigMap>("late", patch).await.unwrap();
        cluster.wait_reason("late", kinds::PREPARED, reason).await;
    }
    // Broken again by an edit: devices stay with the revision that works.
    let patch = json!({ "spec": { "capabilities": ["i2c:48"] } });
    cluster.patch::<Application>("late", patch).await.unwrap();
    let app = cluster.wait_reason("late", kinds::PREPARED, "CapabilityUnknown").await;
    assert_eq!(app.status.unwrap().target_revision.as_deref(), Some("late-1"));
    let patch = json!({ "spec": { "capabilities": ["log"] } });
    cluster.patch::<Application>("late", patch).await.unwrap();
    let app = cluster.wait_reason("late", kinds::PREPARED, "ImageReady").await;
    assert_eq!(app.status.unwrap().target_revision.as_deref(), Some("late-1"));
    let events = cluster.api::<Event>().list(&ListParams::default()).await.unwrap();
    let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
    for reason in ["ConfigMapMissing", "KeyMissing", "DigestMismatch", "ImageReady"] {
        assert!(reasons.contains(&reason), "{reason} is not among {reasons:?}");
    }
    println!("\ncases: 12");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_what_devices_report() {
    let cluster = Cluster::start().await;
    cluster.config_map("hello", &module("hello")).await;
    let app: Application = cluster.create(application("hello", from_map("hello"))).await;
    let uid = app.uid().unwrap();
    for index in 0..2 {
        let key = STANDARD.encode([index; 32]);
        let name = ids::device_name(&ids::PublicKey([index; 32]));
        cluster
            .create::<Device>(json!({
                "metadata": { "name": name },
                "spec": { "publicKey": key, "board": "mps2-an385" },
            }))
            .await;
    }
    let names = [0, 1].map(|index| ids::device_name(&ids::PublicKey([index; 32])));
    let report = |connected: &str, arena: i64, state: &str, reason: &str| {
        json!({
            "gateway": "gw-1", "epoch": 1, "imageFormat": 1,
            "budget": { "arenaBytes": arena, "slotBytes": 65536, "slots": 2, "guests": 1 },
            "conditions": [{
                "type": "Connected", "status": connected, "reason": "SessionOpen", "message": "",
                "lastTransitionTime": "2026-11-22T12:00:00Z",
            }],
            "applications": [{
                "name": "hello", "uid": uid, "generation": 1, "state": state, "reason": reason,
                "message": "numbers", "restarts": 0,
            }],
        })
    };
    // What each of the two reports; counts, Available, Ready.
    let steps = [
        (["Installing", "Installing"], "2 0 0 0 0", "NoneRunning", "Progressing"),
        (["Running", "Installed"], "2 2 1 0 0", "SomeRunning", "Progressing"),
        (["Running", "Running"], "2 2 2 0 0", "AllRunning", "AllRunning"),
        (["Running", "Failed"], "2 2 1 1 0", "SomeRunning", "GuestFailed"),
        (["Refused", "Failed"], "2 1 0 1 1", "NoneRunning", "Refused"),
        (["Running", "Running"], "2 2 2 0 0", "AllRunning", "AllRunning"),
    ];
    for (states, counts, available, ready) in steps {
        for (name, state) in names.iter().zip(states) {
            let status = report("True", 100_000, state, "None");
            cluster.apply_status::<Device>(name, "wasmbed-gateway", status).await;
        }
        cluster
            .wait("hello", &format!("{states:?}"), |app: &Application| {
                let Some(status) = &app.status else { return false };
                let one =
                    |kind| condition::find(&status.conditions, kind).map(|c| c.reason.clone());
                let c = status.counts;
                let text = format!(
                    "{} {} {} {} {}",
                    c.matched, c.installed, c.running, c.failed, c.refused
                );
                text == counts
                    && one(kinds::AVAILABLE).as_deref() == Some(available)
                    && one(kinds::READY).as_deref() == Some(ready)
            })
            .await;
    }
    let app = cluster.api::<Application>().get("hello").await.unwrap();
    let status = app.status.unwrap();
    assert_eq!(status.current_revision.as_deref(), Some("hello-1"));
    let [fit] = &status.fit[..] else { panic!("one board") };
    assert!(fit.fits && fit.devices == 2 && fit.arena_bytes == 100_000);

    // Too small a device, a device that is disabled, and one whose labels do not match.
    let status = report("True", 16, "Refused", "ArenaTooSmall");
    cluster.apply_status::<Device>(&names[0], "wasmbed-gateway", status).await;
    let app = cluster.wait_reason("hello", kinds::READY, "DoesNotFit").await;
    let ready = app.status.unwrap().conditions;
    let ready = condition::find(&ready, kinds::READY).unwrap();
    assert_eq!(ready.message, format!("{}: ArenaTooSmall: numbers", names[0]));
    let disabled = json!({ "spec": { "enabled": false } });
    cluster.patch::<Device>(&names[0], disabled).await.unwrap();
    cluster.wait_reason("hello", kinds::READY, "AllRunning").await;
    let selector = json!({ "spec": { "selector": { "matchLabels": { "site": "hall" } } } });
    cluster.patch::<Application>("hello", selector).await.unwrap();
    cluster.wait_reason("hello", kinds::READY, "NoMatchingDevices").await;
    let label = json!({ "metadata": { "labels": { "site": "hall" } } });
    cluster.patch::<Device>(&names[1], label).await.unwrap();
    cluster.wait_reason("hello", kinds::READY, "AllRunning").await;
    println!("\ncases: {}", steps.len() + 8);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_ten_revisions_and_takes_all_along() {
    let cluster = Cluster::start().await;
    cluster.config_map("hello", &module("hello")).await;
    cluster.create::<Application>(application("hello", from_map("hello"))).await;
    for priority in 0..13 {
        let patch = json!({ "spec": { "priority": priority } });
        cluster.patch::<Application>("hello", patch).await.unwrap();
        cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    }
    for generation in 1..=3 {
        cluster.wait_gone::<ApplicationRevision>(&format!("hello-{generation}")).await;
    }
    let expected: Vec<_> = (4..=13).map(|generation| format!("hello-{generation}")).collect();
    assert_eq!(revisions(&cluster).await, expected);
    // Deleting the Application deletes them, and the next of that name starts afresh.
    let api = cluster.api::<Application>();
    api.delete("hello", &DeleteParams::background()).await.unwrap();
    for name in &expected {
        cluster.wait_gone::<ApplicationRevision>(name).await;
    }
    cluster.create::<Application>(application("hello", from_map("hello"))).await;
    let app = cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    assert_eq!(app.status.unwrap().target_revision.as_deref(), Some("hello-1"));
    println!("\ncases: 15");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_image_is_made_again_bit_by_bit() {
    let mut cluster = Cluster::start().await;
    cluster.config_map("hello", &module("hello")).await;
    cluster.create::<Application>(application("hello", from_map("hello"))).await;
    cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    let revision = cluster.api::<ApplicationRevision>().get("hello-1").await.unwrap();
    let image = ids::parse_digest(&revision.spec.image_digest).unwrap();
    let before = cluster.images.read(&image).unwrap().unwrap();
    cluster.stop_controllers().await;
    cluster.images.remove(&image).unwrap();
    cluster.start_controllers();
    // A change that makes no revision shows that the controllers are at work again.
    let patch = json!({ "spec": { "suspend": true } });
    cluster.patch::<Application>("hello", patch).await.unwrap();
    cluster.wait_reason("hello", kinds::PREPARED, "ImageReady").await;
    assert_eq!(cluster.images.read(&image).unwrap().unwrap(), before);

    // The module is gone too: nothing can make the image again, and the condition says so.
    cluster.stop_controllers().await;
    cluster.images.remove(&image).unwrap();
    let api = cluster.api::<ConfigMap>();
    api.delete("hello", &DeleteParams::default()).await.unwrap();
    cluster.start_controllers();
    cluster.wait_reason("hello", kinds::PREPARED, "ConfigMapMissing").await;
    assert_eq!(revisions(&cluster).await, ["hello-1"]);
    println!("\ncases: 3");
    cluster.stop().await;
}
