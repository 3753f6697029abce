//! Which applications reach which device, and in which form.

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};
use wasmbed_crds::{Application, ApplicationRevision, Device};
use wasmbed_wire::{AppId, Budget, Digest, ResetReason};

use super::{Desired, Plan};
use crate::device_status::Facts;
use crate::session::HelloFacts;

fn uid(id: u8) -> String {
    wasmbed_model::ids::uid_text(&AppId([id; 16]))
}

fn application(id: u8, change: Value) -> Arc<Application> {
    let mut object = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": format!("app-{id}"), "namespace": "default", "uid": uid(id),
            "creationTimestamp": format!("2026-01-01T00:00:{id:02}Z"),
        },
        "spec": {
            "image": { "configMap": { "name": "none", "key": "none" } },
            "selector": { "matchLabels": { "site": "lab" } },
        },
        "status": { "targetRevision": format!("app-{id}-3") },
    });
    json_patch(&mut object, &change);
    Arc::new(serde_json::from_value(object).expect("an Application"))
}

/// Merges as RFC 7396 does, as far as these tests need it.
fn json_patch(target: &mut Value, change: &Value) {
    match change {
        Value::Object(fields) => {
            for (name, value) in fields {
                json_patch(&mut target[name], value);
            }
        }
        other => *target = other.clone(),
    }
}

fn revision(id: u8, arena_bytes: i64) -> Arc<ApplicationRevision> {
    let object = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "ApplicationRevision",
        "metadata": { "name": format!("app-{id}-3"), "namespace": "default" },
        "spec": {
            "applicationRef": { "name": format!("app-{id}"), "uid": uid(id) },
            "generation": 3,
            "template": { "image": {} },
            "moduleDigest": "0".repeat(64),
            "imageDigest": "ab".repeat(32),
            "imageBytes": 100,
            "imageFormat": 1,
            "needs": {
                "arenaBytes": arena_bytes, "codeBytes": 0, "memoryBytes": 0,
                "stackBytes": 0,
            },
            "manifest": "AQID",
            "signature": super::BASE64.encode([2; 64]),
        },
    });
    Arc::new(serde_json::from_value(object).expect("a revision"))
}

fn device(labels: Value) -> Device {
    serde_json::from_value(json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Device",
        "metadata": { "name": "d-1", "namespace": "default", "labels": labels },
        "spec": { "publicKey": "key", "board": "host" },
    }))
    .expect("a Device")
}

fn facts() -> Facts {
    let hello = HelloFacts {
        board: "host".to_owned(),
        firmware: "0.1.0".to_owned(),
        dtb_digest: Digest([0; 32]),
        minor_max: 0,
        budget: Budget { arena_bytes: 1_000, slot_bytes: 1_000, slots: 8, guests: 8 },
        boot_count: 1,
        reset_reason: ResetReason::PowerOn,
        fault: None,
        image_format: 1,
        last_epoch: 0,
        host_calls: None,
    };
    Facts::begin(1, hello, Vec::new())
}

fn desired(applications: &[Arc<Application>], revisions: &[Arc<ApplicationRevision>]) -> Desired {
    let plan = Plan::new(applications, revisions);
    plan.desired(&device(json!({ "site": "lab", "floor": "2" })), &facts())
}

/// `ID run|hold TOKEN` of what is sent, `ID REASON` of what is not.
#[track_caller]
fn check(applications: &[Arc<Application>], arena_bytes: i64, expected: &[&str]) {
    let revisions: Vec<_> = (1..=9).map(|id| revision(id, arena_bytes)).collect();
    let desired = desired(applications, &revisions);
    let sent = desired.entries.iter().map(|entry| {
        let run = if entry.run { "run" } else { "hold" };
        format!("{} {run} {}", entry.app.0[0], entry.restart_token)
    });
    let withheld = desired.withheld.iter().map(|app| format!("{} {}", app.name, app.reason));
    let found: Vec<String> = sent.chain(withheld).collect();
    assert_eq!(found, expected);
}

#[test]
fn who_matches_is_sent_in_the_order_of_precedence() {
    let none = json!({});
    check(
        &[application(2, none.clone()), application(1, none.clone())],
        100,
        &["1 run 0", "2 run 0"],
    );
    let first = json!({ "spec": { "priority": 5 } });
    check(&[application(1, none.clone()), application(2, first)], 100, &["2 run 0", "1 run 0"]);
    let held = json!({ "spec": { "suspend": true } });
    check(&[application(1, held)], 100, &["1 hold 0"]);
    let restarted = json!({ "spec": { "restartedAt": "1970-01-01T00:01:40Z" } });
    check(&[application(1, restarted)], 100, &["1 run 100"]);
    let elsewhere = json!({ "spec": { "selector": { "matchLabels": { "site": "field" } } } });
    check(&[application(1, elsewhere)], 100, &[]);
    let expression = |operator: &str| {
        let term = json!([{ "key": "floor", "operator": operator, "values": ["2", "3"] }]);
        json!({ "spec": { "selector": { "matchExpressions": term } } })
    };
    check(&[application(1, expression("In"))], 100, &["1 run 0"]);
    check(&[application(1, expression("NotIn"))], 100, &[]);
    println!("\ncases: 7\n");
}

#[test]
fn what_is_not_prepared_or_is_going_is_not_sent() {
    let unprepared = json!({ "status": { "targetRevision": null } });
    check(&[application(1, unprepared)], 100, &[]);
    let missing = json!({ "status": { "targetRevision": "app-1-4" } });
    check(&[application(1, missing)], 100, &[]);
    let of_another = json!({ "status": { "targetRevision": "app-2-3" } });
    check(&[application(1, of_another)], 100, &[]);
    let going = json!({ "metadata": { "deletionTimestamp": "2026-01-02T00:00:00Z" } });
    check(&[application(1, going)], 100, &[]);
    println!("\ncases: 4\n");
}

#[test]
fn what_does_not_fit_is_withheld_with_its_reason() {
    let all: Vec<_> = (1..=3).map(|id| application(id, json!({}))).collect();
    check(&all, 400, &["1 run 0", "2 run 0", "app-3 ArenaTooSmall"]);
    check(&all, 2_000, &["app-1 ArenaTooSmall", "app-2 ArenaTooSmall", "app-3 ArenaTooSmall"]);
}

#[test]
fn a_device_that_never_said_what_fits_is_sent_nothing() {
    let plan = Plan::new(&[application(1, json!({}))], &[revision(1, 100)]);
    let desired = plan.desired(&device(json!({ "site": "lab" })), &Facts::default());
    assert_eq!(desired, Desired::default());
}

#[test]
fn a_revision_that_cannot_be_read_has_no_content() {
    let plan = Plan::new(&[], &[revision(1, 100)]);
    let content = plan.content(&AppId([1; 16]), 3).expect("readable");
    assert_eq!((content.manifest.as_slice(), content.signature.len()), (&[1, 2, 3][..], 64));
    assert!(plan.content(&AppId([1; 16]), 4).is_none());
    type Change = fn(&mut ApplicationRevision);
    let broken: [Change; 5] = [
        |revision| revision.spec.manifest = "not Base64".to_owned(),
        |revision| revision.spec.signature = "AQID".to_owned(),
        |revision| revision.spec.image_digest = "ab".to_owned(),
        |revision| revision.spec.application_ref.uid = "none".to_owned(),
        |revision| revision.spec.generation = -1,
    ];
    for (index, change) in broken.iter().enumerate() {
        let mut revision = ApplicationRevision::clone(&revision(1, 100));
        change(&mut revision);
        let plan = Plan::new(&[], &[Arc::new(revision)]);
        assert!(plan.content(&AppId([1; 16]), 3).is_none(), "change {index}");
    }
    println!("\ncases: {}\n", broken.len() + 2);
}

#[test]
fn the_order_of_the_caches_changes_no_plan() {
    let (one, two) = (application(1, json!({})), application(2, json!({})));
    let revisions = [revision(1, 100), revision(2, 100)];
    let forward = Plan::new(&[Arc::clone(&one), Arc::clone(&two)], &revisions);
    assert!(forward == Plan::new(&[two, one], &revisions));
}
