//! How keys become Devices, and how they are refused.

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use wasmbed_crds::{Device, Enrollment};
use wasmbed_wire::{DeviceMessage, Hello};

use crate::harness::{Harness, connected};
use crate::peer::{DeviceKey, HELLO, PATIENCE};

#[tokio::test]
async fn a_token_makes_one_device_of_one_key() {
    let harness = Harness::start().await;
    let spec = json!({ "labels": { "wasmbed.github.io/alias": "bench-1" } });
    harness.enrollment("one", "secret", spec).await;
    let (first, second) = (DeviceKey::generate(), DeviceKey::generate());

    let mut peer = harness.greet(&first).await;
    peer.expect("EnrollRequired").await;
    peer.enroll(Some("secret")).await;
    peer.expect("Welcome 1").await;
    peer.expect("DesiredState 1").await;

    let device = harness.until_connected(&first.device_name(), "True SessionOpen").await;
    assert_eq!(device.spec.board, "host");
    assert!(device.spec.enabled);
    let labels = device.metadata.labels.as_ref().expect("given by the Enrollment");
    assert_eq!(labels.get("wasmbed.github.io/alias").map(String::as_str), Some("bench-1"));
    assert_eq!(labels.get("wasmbed.github.io/board").map(String::as_str), Some("host"));
    let status = device.status.as_ref().expect("written before Welcome");
    assert_eq!((status.epoch, status.gateway.as_deref()), (Some(1), Some("edge-0")));
    assert_eq!(status.budget.map(|budget| budget.arena_bytes), Some(16_384));

    let enrollments: Api<Enrollment> = harness.api();
    let status = enrollments.get("one").await.expect("there").status.expect("used");
    assert_eq!(status.used, Some(1));
    assert_eq!(status.uses[0].device, first.device_name());

    let events: Api<Event> = harness.api();
    let told = async {
        loop {
            let all = events.list(&ListParams::default()).await.expect("a list");
            let notes = all.into_iter().filter_map(|event| event.note);
            if let Some(note) = notes.into_iter().find(|note| note.starts_with("enrolled")) {
                return note;
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await.expect("an Event");
    assert_eq!(told, "enrolled through Enrollment one");

    let mut stranger = harness.greet(&second).await;
    stranger.expect("EnrollRequired").await;
    stranger.enroll(Some("secret")).await;
    stranger.expect("Refused TokenUsedUp").await;
    stranger.expect("closed").await;
}

#[tokio::test]
async fn the_same_key_enrolling_again_costs_nothing() {
    let harness = Harness::start().await;
    harness.enrollment("one", "secret", json!({})).await;
    let key = DeviceKey::generate();
    let devices: Api<Device> = harness.api();
    for round in 0..3 {
        let mut peer = harness.greet(&key).await;
        peer.expect("EnrollRequired").await;
        peer.enroll(Some("secret")).await;
        peer.expect("Welcome 1").await;
        peer.expect("DesiredState 1").await;
        // As if the Device had never been made: the token's use was recorded before it.
        devices.delete(&key.device_name(), &DeleteParams::default()).await.expect("deleted");
        peer.expect("closed").await;
        let enrollment: Enrollment = harness.api().get("one").await.expect("there");
        assert_eq!(enrollment.status.expect("used").uses.len(), 1, "round {round}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_used_is_refused_by_name() {
    let harness = Harness::start().await;
    let past = json!({ "expiresAt": "2020-01-01T00:00:00Z" });
    harness.enrollment("old", "expired", past).await;
    let cases = [
        (Some("nobody knows"), "Refused TokenUnknown"),
        (Some("expired"), "Refused TokenExpired"),
        (Some(""), "Refused TokenUnknown"),
        (None, "Refused PairingClosed"),
    ];
    for (token, refused) in cases {
        let key = DeviceKey::generate();
        let mut peer = harness.greet(&key).await;
        peer.expect("EnrollRequired").await;
        peer.enroll(token).await;
        peer.expect(refused).await;
        peer.expect("closed").await;
        let device: Option<Device> =
            harness.api().get_opt(&key.device_name()).await.expect("an answer");
        assert!(device.is_none(), "{token:?} made a Device");
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn a_counted_token_is_never_used_more_often_than_it_allows() {
    let harness = Harness::start().await;
    harness.enrollment("many", "counted", json!({ "maxUses": 3 })).await;
    let keys: Vec<DeviceKey> = (0..8).map(|_| DeviceKey::generate()).collect();
    let attempts = keys.iter().map(async |key| {
        let mut peer = harness.greet(key).await;
        peer.expect("EnrollRequired").await;
        peer.enroll(Some("counted")).await;
        peer.next().await
    });
    let mut outcomes = futures::future::join_all(attempts).await;
    outcomes.sort();
    let refused = "Refused TokenUsedUp".to_owned();
    let mut expected = vec![refused; 5];
    expected.extend(vec!["Welcome 1".to_owned(); 3]);
    assert_eq!(outcomes, expected);
    println!("\ncases: {}\n", outcomes.len());
}

#[tokio::test]
async fn a_pairing_window_lets_strangers_in_while_it_is_open() {
    let harness = Harness::start().await;
    let open = |until: &str, approve: bool| json!({ "pairing": { "until": until, "autoApprove": approve, "labels": { "new": "yes" } } });
    harness.apply_gateway(open("2020-01-01T00:00:00Z", true)).await;
    let key = DeviceKey::generate();
    let mut peer = harness.greet(&key).await;
    peer.expect("EnrollRequired").await;
    peer.enroll(None).await;
    peer.expect("Refused PairingClosed").await;

    harness.apply_gateway(open("2999-01-01T00:00:00Z", true)).await;
    // The watch brings the new window; until then the old one is shut.
    let welcome = loop {
        let mut peer = harness.greet(&key).await;
        peer.expect("EnrollRequired").await;
        peer.enroll(None).await;
        match peer.next().await.as_str() {
            "Refused PairingClosed" => {}
            other => break other.to_owned(),
        }
    };
    assert_eq!(welcome, "Welcome 1");
    let device: Device = harness.api().get(&key.device_name()).await.expect("made");
    let labels = device.metadata.labels.expect("given by the window");
    assert_eq!(labels.get("new").map(String::as_str), Some("yes"));
}

#[tokio::test]
async fn a_device_waits_for_approval_and_is_told_so() {
    let harness = Harness::start().await;
    harness.enrollment("later", "wait", json!({ "autoApprove": false })).await;
    let key = DeviceKey::generate();
    let mut peer = harness.greet(&key).await;
    peer.expect("EnrollRequired").await;
    peer.enroll(Some("wait")).await;
    peer.expect("Refused PendingApproval").await;
    peer.expect("closed").await;

    let devices: Api<Device> = harness.api();
    let device = devices.get(&key.device_name()).await.expect("made");
    assert!(!device.spec.enabled);
    assert_eq!(connected(&device), "", "it had no session");
    let approve = Patch::Merge(json!({ "spec": { "enabled": true } }));
    devices.patch(&key.device_name(), &PatchParams::default(), &approve).await.expect("patched");
    let outcome = loop {
        let mut peer = harness.greet(&key).await;
        match peer.next().await.as_str() {
            // The watch has not brought the approval yet.
            "Refused PendingApproval" => {}
            other => break other.to_owned(),
        }
    };
    assert_eq!(outcome, "Welcome 1");
}

#[tokio::test]
async fn a_device_made_by_hand_needs_no_enrolment() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    harness.device(&key).await;
    let outcome = loop {
        let mut peer = harness.greet(&key).await;
        match peer.next().await.as_str() {
            // The watch has not brought the object yet.
            "EnrollRequired" => {}
            other => break other.to_owned(),
        }
    };
    assert_eq!(outcome, "Welcome 1");
}

#[tokio::test]
async fn a_hello_for_another_namespace_is_refused() {
    let harness = Harness::start().await;
    let mut peer = harness.connect(&DeviceKey::generate()).await;
    let hello = Hello { namespace: "elsewhere", ..HELLO };
    peer.send(&DeviceMessage::Hello(hello)).await;
    peer.expect("Refused WrongNamespace").await;
    peer.expect("closed").await;
}

#[tokio::test]
async fn a_name_taken_by_another_key_is_refused() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let device: Device = serde_json::from_value(json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Device",
        "metadata": { "name": key.device_name() },
        "spec": { "publicKey": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "board": "host" },
    }))
    .expect("a Device");
    let devices: Api<Device> = harness.api();
    devices.create(&Default::default(), &device).await.expect("created");
    let outcome = loop {
        let mut peer = harness.greet(&key).await;
        match peer.next().await.as_str() {
            // The watch has not brought the object yet.
            "EnrollRequired" => {}
            other => break other.to_owned(),
        }
    };
    assert_eq!(outcome, "Refused Revoked");
}
