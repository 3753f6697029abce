//! Devices, Gateways and Enrollments: what their conditions say as time and leases pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};
use wasmbed_crds::{Device, Enrollment, Gateway, condition};
use wasmbed_model::ids::{self, PublicKey};

use crate::harness::Cluster;

fn device(byte: u8) -> (String, Value) {
    let name = ids::device_name(&PublicKey([byte; 32]));
    let spec = json!({ "publicKey": STANDARD.encode([byte; 32]), "board": "mps2-an385" });
    (name.clone(), json!({ "metadata": { "name": name }, "spec": spec }))
}

fn connected(status: &str, reason: &str, gateway: &str) -> Value {
    json!({
        "gateway": gateway, "epoch": 1,
        "conditions": [{
            "type": "Connected", "status": status, "reason": reason, "message": "m",
            "lastTransitionTime": "2026-11-22T12:00:00Z",
        }],
    })
}

/// A Lease that was renewed `ago_s` seconds ago and lasts `lasts_s`.
fn lease(name: &str, ago_s: i64, lasts_s: i32) -> Value {
    let renewed = Timestamp::now() - SignedDuration::from_secs(ago_s);
    json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/component": "gateway" } },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": lasts_s,
            "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        },
    })
}

fn says(device: &Device, expected: &[(&str, &str, &str)]) -> bool {
    let Some(status) = &device.status else { return false };
    expected.iter().all(|(kind, verdict, reason)| {
        condition::find(&status.conditions, kind)
            .is_some_and(|one| one.status == *verdict && one.reason == *reason)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_what_its_gateway_and_its_lease_say() {
    let cluster = Cluster::start().await;
    let (name, object) = device(1);
    cluster.create::<Device>(object).await;
    let mut cases = 0;
    let mut wait = async |expected: &[(&str, &str, &str)]| {
        cases += expected.len();
        cluster.wait(&name, &format!("{expected:?}"), |device| says(device, expected)).await;
    };
    wait(&[
        ("Enrolled", "True", "KeyKnown"),
        ("Connected", "False", "NeverConnected"),
        ("Ready", "False", "NeverConnected"),
    ])
    .await;
    cluster.create::<Lease>(lease("gw-1", 0, 3600)).await;
    let open = connected("True", "SessionOpen", "gw-1");
    cluster.apply_status::<Device>(&name, "wasmbed-gateway", open.clone()).await;
    wait(&[("Connected", "True", "SessionOpen"), ("Ready", "True", "SessionOpen")]).await;
    let closed = connected("False", "SessionClosed", "gw-1");
    cluster.apply_status::<Device>(&name, "wasmbed-gateway", closed).await;
    wait(&[("Connected", "False", "SessionClosed"), ("Ready", "False", "SessionClosed")]).await;
    cluster.apply_status::<Device>(&name, "wasmbed-gateway", open.clone()).await;
    wait(&[("Ready", "True", "SessionOpen")]).await;

    // The Lease is not renewed any more: nobody can speak for the device.
    let spec = lease("gw-1", 100, 30)["spec"].clone();
    cluster.patch::<Lease>("gw-1", json!({ "spec": spec })).await.unwrap();
    wait(&[("Connected", "Unknown", "GatewayLost"), ("Ready", "Unknown", "GatewayLost")]).await;
    // Another process has it now.
    cluster.create::<Lease>(lease("gw-2", 0, 3600)).await;
    let moved = connected("True", "SessionOpen", "gw-2");
    cluster.apply_status::<Device>(&name, "wasmbed-gateway", moved).await;
    wait(&[("Connected", "True", "SessionOpen"), ("Ready", "True", "SessionOpen")]).await;

    let patch = json!({ "spec": { "enabled": false } });
    cluster.patch::<Device>(&name, patch).await.unwrap();
    wait(&[("Enrolled", "False", "Disabled"), ("Ready", "False", "Disabled")]).await;

    let (_, mut object) = device(2);
    object["metadata"]["name"] = json!("d-liar");
    cluster.create::<Device>(object).await;
    let expected = [("Enrolled", "False", "NameMismatch"), ("Ready", "False", "NameMismatch")];
    cluster.wait("d-liar", "a mismatch", |device| says(device, &expected)).await;
    let (pending, mut object) = device(3);
    object["spec"]["enabled"] = json!(false);
    cluster.create::<Device>(object).await;
    let expected = [("Enrolled", "False", "PendingApproval")];
    cluster.wait(&pending, "pending", |device| says(device, &expected)).await;
    println!("\ncases: {}", cases + 3);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_runs_out_is_noticed_without_an_event() {
    let cluster = Cluster::start().await;
    let (name, object) = device(1);
    // Two seconds from now it has lasted one: nothing will be written in between.
    cluster.create::<Lease>(lease("gw-1", 0, 2)).await;
    cluster.create::<Device>(object).await;
    let open = connected("True", "SessionOpen", "gw-1");
    cluster.apply_status::<Device>(&name, "wasmbed-gateway", open).await;
    let lost = [("Connected", "Unknown", "GatewayLost"), ("Ready", "Unknown", "GatewayLost")];
    cluster.wait(&name, "lost", |device| says(device, &lost)).await;
    println!("\ncases: 2");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_sums_up_its_processes() {
    let cluster = Cluster::start().await;
    let spec = json!({ "endpoint": { "host": "10.0.2.2", "port": 7443 } });
    let object = json!({ "metadata": { "name": "gateway" }, "spec": spec });
    cluster.create::<Gateway>(object).await;
    let is = |expected: &'static str| {
        move |gateway: &Gateway| {
            let Some(status) = &gateway.status else { return false };
            let one = |kind| condition::find(&status.conditions, kind).map(|c| c.reason.as_str());
            let text = format!(
                "{:?} {:?} {:?} {:?}/{:?}",
                one("Ready"),
                one("CertificateValid"),
                one("Pairing"),
                status.connected,
                status.capacity
            );
            text.replace("Some(", "").replace([')', '"'], "") == expected
        }
    };
    let wait = async |expected: &'static str| {
        cluster.wait("gateway", expected, is(expected)).await;
    };
    wait("NoReplica CertificateUnknown WindowClosed 0/0").await;
    let end = |days: i64| {
        let end = Timestamp::now() + SignedDuration::from_hours(24 * days);
        end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    for (name, connected, days) in [("gw-1", 3, 300), ("gw-2", 4, 200)] {
        cluster.create::<Lease>(lease(name, 0, 3600)).await;
        let replica = json!({
            "name": name, "connected": connected, "capacity": 100,
            "certificateNotAfter": end(days),
        });
        let manager = format!("wasmbed-gateway-{name}");
        let status = json!({ "replicas": [replica] });
        cluster.apply_status::<Gateway>("gateway", &manager, status).await;
    }
    wait("Serving AsExpected WindowClosed 7/200").await;
    let spec = lease("gw-1", 100, 30)["spec"].clone();
    cluster.patch::<Lease>("gw-1", json!({ "spec": spec })).await.unwrap();
    wait("Serving AsExpected WindowClosed 4/100").await;
    let pairing = json!({ "spec": { "pairing": { "until": end(1) } } });
    cluster.patch::<Gateway>("gateway", pairing).await.unwrap();
    wait("Serving AsExpected WindowOpen 4/100").await;
    let replica = json!({
        "name": "gw-2", "connected": 4, "capacity": 100, "certificateNotAfter": end(10),
    });
    let status = json!({ "replicas": [replica] });
    cluster.apply_status::<Gateway>("gateway", "wasmbed-gateway-gw-2", status).await;
    wait("Serving CertificateExpiring WindowOpen 4/100").await;
    println!("\ncases: 5");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_says_whether_it_can_be_used() {
    let cluster = Cluster::start().await;
    let in_seconds = |seconds: i64| {
        let time = Timestamp::now() + SignedDuration::from_secs(seconds);
        time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let used = json!({ "uses": [{ "publicKey": "k", "device": "d-a" }], "used": 1 });
    // Name, spec, what a gateway wrote, what Ready says in the end.
    let cases = [
        ("open", json!({}), None, "Open"),
        ("used-up", json!({}), Some(used.clone()), "UsedUp"),
        ("more", json!({ "maxUses": 2 }), Some(used), "Open"),
        ("ended", json!({ "expiresAt": in_seconds(-1) }), None, "Expired"),
        ("ending", json!({ "expiresAt": in_seconds(2) }), None, "Expired"),
        ("later", json!({ "expiresAt": in_seconds(3600) }), None, "Open"),
    ];
    for (name, more, status, _) in &cases {
        let mut spec = json!({ "tokenSha256": "0".repeat(64) });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        cluster.create::<Enrollment>(object).await;
        if let Some(status) = status {
            cluster.apply_status::<Enrollment>(name, "wasmbed-gateway", status.clone()).await;
        }
    }
    for (name, _, _, reason) in &cases {
        let done = |one: &Enrollment| {
            let status = one.status.as_ref();
            let ready = status.and_then(|s| condition::find(&s.conditions, "Ready"));
            ready.is_some_and(|ready| ready.reason == *reason)
        };
        cluster.wait(name, reason, done).await;
    }
    println!("\ncases: {}", cases.len());
    cluster.stop().await;
}
