//! Sessions of enrolled devices: what they are told, what becomes of what they say.

use std::time::Instant;

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wasmbed_crds::gateway::GatewayReplica;
use wasmbed_crds::{Application, Device, Gateway};
use wasmbed_gateway::Limits;
use wasmbed_wire::{AppId, DeviceMessage, GatewayMessage, GuestState, Hello};

use crate::harness::{GATEWAY, Harness, PROCESS};
use crate::peer::{DeviceKey, HELLO, Peer};

/// `NAME STATE` of each application in the Device's status.
fn applications(device: &Device) -> Vec<String> {
    let status = device.status.as_ref().expect("a session wrote it");
    status.applications.iter().map(|app| format!("{} {}", app.name, app.state)).collect()
}

async fn until_applications(harness: &Harness, key: &DeviceKey, wanted: &[&str]) -> Device {
    harness.until(&key.device_name(), |device| applications(device) == wanted).await
}

#[tokio::test]
async fn a_revoked_device_loses_its_session_within_a_second() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let devices: Api<Device> = harness.api();
    let revoke = Patch::Merge(json!({ "spec": { "enabled": false } }));
    let started = Instant::now();
    devices.patch(&key.device_name(), &PatchParams::default(), &revoke).await.expect("patched");
    peer.expect("Refused Revoked").await;
    assert!(started.elapsed().as_millis() < 1_000, "took {:?}", started.elapsed());
    peer.expect("closed").await;
    harness.until_connected(&key.device_name(), "False Disabled").await;

    let mut again = harness.greet(&key).await;
    again.expect("Refused Revoked").await;
}

#[tokio::test]
async fn a_deleted_device_is_a_stranger_again() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let devices: Api<Device> = harness.api();
    devices.delete(&key.device_name(), &DeleteParams::default()).await.expect("deleted");
    peer.expect("closed").await;
    let mut again = harness.greet(&key).await;
    again.expect("EnrollRequired").await;
}

#[tokio::test]
async fn the_newest_session_of_a_device_wins() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut first = harness.enrolled(&key).await;
    let mut second = harness.greet(&key).await;
    second.expect("Welcome 2").await;
    first.expect("Refused Superseded").await;
    first.expect("closed").await;
    second.expect("DesiredState 1").await;
    let device = harness.until_connected(&key.device_name(), "True SessionOpen").await;
    assert_eq!(device.status.expect("written").epoch, Some(2));
}

#[tokio::test]
async fn a_session_that_another_process_took_over_cannot_speak() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let devices: Api<Device> = harness.api();
    let name = key.device_name();
    let taken = json!({ "status": { "epoch": 7, "gateway": "elsewhere" } });
    let taken = devices.patch_status(&name, &PatchParams::default(), &Patch::Merge(taken)).await;
    taken.expect("patched");
    peer.report(AppId([1; 16]), 1, GuestState::Running).await;
    peer.expect("Refused Superseded").await;
    peer.expect("closed").await;
    let status = devices.get(&name).await.expect("there").status.expect("written");
    assert_eq!((status.epoch, status.gateway.as_deref()), (Some(7), Some("elsewhere")));
    assert!(status.applications.is_empty(), "the stale session wrote {:?}", status.applications);
}

#[tokio::test]
async fn what_the_device_reports_is_in_its_status_and_nothing_else() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let app = harness.application("blink", b"image", 100).await;
    let mut peer = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    let before = harness.until_connected(&key.device_name(), "True SessionOpen").await;
    assert_eq!(applications(&before), [""; 0], "nothing was reported yet");
    peer.report(app, 1, GuestState::Installing).await;
    until_applications(&harness, &key, &["blink Installing"]).await;
    peer.report(app, 1, GuestState::Running).await;
    let device = until_applications(&harness, &key, &["blink Running"]).await;
    let status = device.status.expect("written");
    assert_eq!(status.applications[0].image_digest, Some("09".repeat(32)));
    peer.report(app, 1, GuestState::Removed).await;
    until_applications(&harness, &key, &[]).await;
    peer.close().await;
    harness.until_connected(&key.device_name(), "False SessionClosed").await;
}

#[tokio::test]
async fn idle_heartbeats_write_nothing() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let devices: Api<Device> = harness.api();
    peer.report(AppId([1; 16]), 1, GuestState::Running).await;
    peer.heartbeat(1).await;
    let name = key.device_name();
    let before = harness.until(&name, |device: &Device| applications(device).len() == 1).await;
    for uptime_ms in 2..100 {
        peer.heartbeat(uptime_ms).await;
        peer.report(AppId([1; 16]), 1, GuestState::Running).await;
    }
    // A change after them shows that they have been taken in.
    peer.report(AppId([2; 16]), 1, GuestState::Running).await;
    let after = harness.until(&name, |device: &Device| applications(device).len() == 2).await;
    let version = |device: &Device| -> u64 {
        device.metadata.resource_version.as_ref().expect("set").parse().expect("a number")
    };
    let writes = devices.get(&name).await.expect("there");
    assert_eq!(version(&writes), version(&after));
    let between = harness.writes_between(version(&before), version(&after), &name).await;
    assert_eq!(between, 1, "98 heartbeats and repeated reports caused writes");
}

#[tokio::test]
async fn guests_of_an_older_session_leave_once_the_device_has_named_all() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let names: Vec<AppId> = (1..=2).map(|id| AppId([id; 16])).collect();
    for app in &names {
        peer.report(*app, 1, GuestState::Running).await;
    }
    let uids: Vec<String> =
        names.iter().map(|app| format!("{} Running", wasmbed_model::ids::uid_text(app))).collect();
    let both: Vec<&str> = uids.iter().map(String::as_str).collect();
    until_applications(&harness, &key, &both).await;

    let mut again = harness.greet(&key).await;
    again.expect("Welcome 2").await;
    again.expect("DesiredState 1").await;
    until_applications(&harness, &key, &both).await;
    again.report(names[1], 1, GuestState::Running).await;
    again.heartbeat(1).await;
    until_applications(&harness, &key, &both[1..]).await;
}

#[tokio::test]
async fn a_desired_set_follows_applications_selectors_and_labels() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    harness.application("blink", b"image", 100).await;
    peer.expect("DesiredState 2 1:run").await;
    let applications: Api<Application> = harness.api();
    let params = PatchParams::default();
    let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
    applications.patch("blink", &params, &suspend).await.expect("patched");
    peer.expect("DesiredState 3 1:hold").await;
    let restart = Patch::Merge(
        json!({ "spec": { "suspend": false, "restartedAt": "2026-11-22T12:00:00Z" } }),
    );
    applications.patch("blink", &params, &restart).await.expect("patched");
    peer.expect("DesiredState 4 1:run").await;
    let restart = Patch::Merge(json!({ "spec": { "restartedAt": "2026-11-22T12:00:01Z" } }));
    applications.patch("blink", &params, &restart).await.expect("patched");
    peer.expect("DesiredState 5 1:run").await;
    let devices: Api<Device> = harness.api();
    let relabel = Patch::Merge(json!({ "metadata": { "labels": { "site": "field" } } }));
    devices.patch(&key.device_name(), &params, &relabel).await.expect("patched");
    peer.expect("DesiredState 6").await;
    let relabel = Patch::Merge(json!({ "metadata": { "labels": { "site": "lab" } } }));
    devices.patch(&key.device_name(), &params, &relabel).await.expect("patched");
    peer.expect("DesiredState 7 1:run").await;
    applications.delete("blink", &DeleteParams::default()).await.expect("deleted");
    peer.expect("DesiredState 8").await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_status_with_the_numbers() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    harness.application("huge", b"image", 16_385).await;
    let _peer = harness.enrolled(&key).await;
    let device = until_applications(&harness, &key, &["huge Refused"]).await;
    let refused = &device.status.expect("written").applications[0];
    assert_eq!(refused.reason, "ArenaTooSmall");
    let message = refused.message.as_deref().expect("with the numbers");
    assert!(message.contains("16384"), "{message}");
}

/// Pulls an image from `offset` on, as a device does.
async fn pull(peer: &mut Peer, app: AppId, mut offset: usize, end: usize) -> Vec<u8> {
    let mut image = Vec::new();
    while offset < end {
        peer.request(app, 1, u32::try_from(offset).ok()).await;
        let body = peer.receive().await.expect("a chunk");
        let Ok(GatewayMessage::InstallChunk(chunk)) = GatewayMessage::decode(&body) else {
            panic!("not a chunk");
        };
        assert_eq!((chunk.app, chunk.offset as usize), (app, offset));
        image.extend_from_slice(chunk.bytes);
        offset += chunk.bytes.len();
    }
    image
}

#[tokio::test]
async fn an_image_is_pulled_in_chunks_and_resumes_at_any_offset() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let image: Vec<u8> = (0..10_000_u32).map(|index| (index * 7 % 251) as u8).collect();
    let app = harness.application("blink", &image, 100).await;
    let mut peer = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    peer.request(app, 1, None).await;
    peer.expect("Install 200").await;
    let head = pull(&mut peer, app, 0, 4_000).await;
    drop(peer);

    let mut again = harness.greet(&key).await;
    again.expect("Welcome 2").await;
    again.expect("DesiredState 1 1:run").await;
    let offsets = [head.len(), 1, 383, 384, 385, 9_999];
    for offset in offsets {
        let tail = pull(&mut again, app, offset, image.len()).await;
        assert_eq!(Sha256::digest(&tail), Sha256::digest(&image[offset..]), "from {offset}");
    }
    again.request(app, 1, Some(10_000)).await;
    again.expect("InstallChunk 10000+0").await;
    println!("\ncases: {}\n", offsets.len() + 2);
}

#[tokio::test]
async fn a_device_gets_only_what_it_shall_hold() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let app = harness.application("huge", b"image", 1_000_000).await;
    let mut peer = harness.enrolled(&key).await;
    for (app, generation) in [(app, 1), (app, 2), (AppId([3; 16]), 1)] {
        peer.request(app, generation, None).await;
        peer.request(app, generation, Some(0)).await;
    }
    // The next message is the answer to something that is allowed: nothing came before it.
    harness.application("blink", b"image", 100).await;
    peer.expect("DesiredState 2 1:run").await;
}

#[tokio::test]
async fn a_new_leaf_is_shown_without_a_restart() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut standing = harness.enrolled(&key).await;
    let other = DeviceKey::generate();
    let before = harness.connect(&other).await.leaf();
    let next = std::sync::Arc::new(harness.fleet.leaf());
    let expected = next.certificates[0].clone();
    harness.leaf.send_replace(next);
    let shown = loop {
        let shown = harness.connect(&other).await.leaf();
        if shown != before {
            break shown;
        }
    };
    assert_eq!(shown, expected);
    // The session that began under the old leaf goes on.
    harness.application("blink", b"image", 100).await;
    standing.heartbeat(1).await;
    standing.expect("DesiredState 2 1:run").await;
}

#[tokio::test]
async fn a_silent_device_is_disconnected_after_the_time_of_the_gateways_spec() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    // The least that the schema allows; it reaches standing sessions with their next message.
    harness.apply_gateway(json!({ "heartbeatTimeoutSeconds": 5 })).await;
    harness.application("blink", b"image", 100).await;
    peer.expect("DesiredState 2 1:run").await;
    peer.heartbeat(1).await;
    let last = Instant::now();
    peer.expect("closed").await;
    let silent = last.elapsed().as_millis();
    assert!((4_900..7_000).contains(&silent), "closed after {silent} ms");
    harness.until_connected(&key.device_name(), "False HeartbeatTimeout").await;
}

#[tokio::test]
async fn a_standing_session_contradicts_who_believes_it_lost() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let peer = harness.enrolled(&key).await;
    let name = key.device_name();
    harness.until_connected(&name, "True SessionOpen").await;
    // As the device controller does when a Lease was renewed too late.
    let devices: Api<Device> = harness.api();
    let lost = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Device",
        "metadata": { "name": name },
        "status": { "conditions": [{
            "type": "Connected", "status": "Unknown", "reason": "GatewayLost", "message": "",
            "lastTransitionTime": "2026-11-22T12:00:00Z",
        }] },
    });
    let params = PatchParams::apply("wasmbed-device-controller").force();
    devices.patch_status(&name, &params, &Patch::Apply(lost)).await.expect("patched");
    harness.until_connected(&name, "True SessionOpen").await;
    drop(peer);
}

#[tokio::test]
async fn an_epoch_is_above_what_the_device_has_seen_within_reason() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    drop(harness.enrolled(&key).await);
    let cases: [(u64, u64); 5] =
        [(0, 2), (41, 42), (7, 43), (u64::MAX, (1 << 31) + 1), (u64::MAX, (1 << 31) + 2)];
    for (last_epoch, epoch) in cases {
        let mut peer = harness.connect(&key).await;
        peer.send(&DeviceMessage::Hello(Hello { last_epoch, ..HELLO })).await;
        peer.expect(&format!("Welcome {epoch}")).await;
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn without_the_control_plane_sessions_stand_and_newcomers_are_told() {
    let mut harness = Harness::start().await;
    let key = DeviceKey::generate();
    let image = vec![3; 1_000];
    let app = harness.application("blink", &image, 100).await;
    let mut standing = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    let absent = DeviceKey::generate();
    harness.device(&absent).await;
    loop {
        let mut peer = harness.greet(&absent).await;
        if peer.next().await == "Welcome 1" {
            break;
        }
    }
    harness.platform.api.take().expect("running").stop().await;
    standing.heartbeat(1).await;
    standing.report(app, 1, GuestState::Running).await;
    assert_eq!(pull(&mut standing, app, 0, image.len()).await, image);
    let mut peer = harness.greet(&absent).await;
    peer.expect("Refused ControlPlaneUnavailable").await;
    peer.expect("closed").await;
}

#[tokio::test]
async fn a_device_that_does_not_come_back_to_a_restarted_gateway_is_disowned() {
    let orphan_interval = std::time::Duration::from_millis(100);
    let harness = Harness::start_with(Limits { orphan_interval, ..Limits::default() }).await;
    let (gone, here) = (DeviceKey::generate(), DeviceKey::generate());
    let _peer = harness.enrolled(&here).await;
    harness.device(&gone).await;
    // As a process of this name left it when it was killed.
    let left = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Device",
        "metadata": { "name": gone.device_name() },
        "status": {
            "gateway": PROCESS, "epoch": 3, "firmware": "0.1.0",
            "conditions": [{
                "type": "Connected", "status": "True", "reason": "SessionOpen", "message": "",
                "lastTransitionTime": "2026-11-22T12:00:00Z",
            }],
        },
    });
    let devices: Api<Device> = harness.api();
    let params = PatchParams::apply("wasmbed-gateway").force();
    let left = devices.patch_status(&gone.device_name(), &params, &Patch::Apply(left)).await;
    left.expect("patched");
    let device = harness.until_connected(&gone.device_name(), "Unknown GatewayLost").await;
    let status = device.status.expect("written");
    assert_eq!((status.epoch, status.firmware.as_deref()), (Some(3), Some("0.1.0")));
    harness.until_connected(&here.device_name(), "True SessionOpen").await;
}

#[tokio::test]
async fn a_full_gateway_says_that_it_is_busy() {
    let harness = Harness::start().await;
    let (first, second) = (DeviceKey::generate(), DeviceKey::generate());
    let standing = harness.enrolled(&first).await;
    harness.apply_gateway(json!({ "sessionsMax": 1 })).await;
    let answer = loop {
        let mut peer = harness.greet(&second).await;
        match peer.next().await.as_str() {
            // The watch has not brought the new spec yet.
            "EnrollRequired" => {}
            other => break other.to_owned(),
        }
    };
    assert_eq!(answer, "Refused Busy");
    harness
        .until(GATEWAY, |gateway: &Gateway| {
            let replicas = gateway.status.as_ref().map(|status| &status.replicas);
            replicas.is_some_and(|all| all.iter().any(|r| (r.capacity, r.connected) == (1, 1)))
        })
        .await;
    drop(standing);
}

#[tokio::test]
async fn a_stop_ends_sessions_and_takes_the_presence_back() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> = harness.api();
    let lease = leases.get(PROCESS).await.expect("renewed since the start");
    assert_eq!(lease.spec.expect("set").holder_identity.as_deref(), Some(PROCESS));
    harness.shutdown.cancel();
    peer.expect("Refused ShuttingDown").await;
    harness.until_connected(&key.device_name(), "Unknown GatewayLost").await;
    let replicas = |gateway: &Gateway| -> Vec<GatewayReplica> {
        gateway.status.as_ref().map(|status| status.replicas.clone()).unwrap_or_default()
    };
    harness.until(GATEWAY, |gateway: &Gateway| replicas(gateway).is_empty()).await;
    let gone = async {
        while leases.get_opt(PROCESS).await.expect("an answer").is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::peer::PATIENCE, gone).await.expect("the Lease is deleted");
}
