//! What one use does to an Enrollment, and which Devices may have a session.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use wasmbed_crds::{Device, Enrollment};
use wasmbed_wire::{PublicKey, RefusedReason};

use super::{Use, is_pending, record_use, refusal};

const KEY: PublicKey = PublicKey([0; 32]);
const KEY_TEXT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn enrollment(spec: &Value, uses: &[&str]) -> Enrollment {
    let mut whole = json!({ "tokenSha256": "0".repeat(64) });
    whole.as_object_mut().expect("a map").extend(spec.as_object().cloned().expect("a map"));
    let uses: Vec<Value> =
        uses.iter().map(|key| json!({ "publicKey": key, "device": "d-old" })).collect();
    serde_json::from_value(json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Enrollment",
        "metadata": { "name": "one" },
        "spec": whole,
        "status": { "uses": uses },
    }))
    .expect("an Enrollment")
}

#[test]
fn a_use_is_recorded_once_and_within_the_terms() {
    let now = Timestamp::from_second(1_000).expect("a time");
    let until = |text: &str| json!({ "expiresAt": text, "maxUses": 2 });
    let cases = [
        (json!({}), vec![], Use::Recorded),
        (json!({}), vec!["other"], Use::Refused(RefusedReason::TokenUsedUp)),
        (json!({}), vec![KEY_TEXT], Use::Known),
        (json!({ "maxUses": 2 }), vec!["other"], Use::Recorded),
        (until("1970-01-01T00:16:41Z"), vec![], Use::Recorded),
        (until("1970-01-01T00:16:40Z"), vec![], Use::Refused(RefusedReason::TokenExpired)),
        (until("1970-01-01T00:00:00Z"), vec![KEY_TEXT], Use::Known),
    ];
    for (spec, uses, expected) in &cases {
        let mut enrollment = enrollment(spec, uses);
        assert_eq!(record_use(&mut enrollment, &KEY, "d-1", now), *expected, "{spec} {uses:?}");
        let status = enrollment.status.expect("given");
        let added = usize::from(*expected == Use::Recorded);
        assert_eq!(status.uses.len(), uses.len() + added);
        if added == 1 {
            let used = status.uses.last().expect("added");
            assert_eq!((used.public_key.as_str(), used.device.as_str()), (KEY_TEXT, "d-1"));
            assert_eq!(status.used, i64::try_from(status.uses.len()).ok());
        }
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn an_enrollment_that_is_going_is_unknown() {
    let mut enrollment = enrollment(&json!({}), &[KEY_TEXT]);
    let now = Timestamp::from_second(1_000).expect("a time");
    enrollment.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
    let refused = Use::Refused(RefusedReason::TokenUnknown);
    assert_eq!(record_use(&mut enrollment, &KEY, "d-1", now), refused);
}

#[test]
fn only_an_enabled_device_with_this_key_may_have_a_session() {
    let cases = [
        (json!({ "spec": { "publicKey": KEY_TEXT } }), None),
        (json!({ "spec": { "publicKey": "other" } }), Some(RefusedReason::Revoked)),
        (
            json!({ "spec": { "publicKey": KEY_TEXT, "enabled": false } }),
            Some(RefusedReason::PendingApproval),
        ),
        (
            json!({
                "spec": { "publicKey": KEY_TEXT, "enabled": false }, "status": { "epoch": 1 },
            }),
            Some(RefusedReason::Revoked),
        ),
        (
            json!({
                "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" },
                "spec": { "publicKey": KEY_TEXT }, "status": { "epoch": 1 },
            }),
            Some(RefusedReason::Revoked),
        ),
    ];
    for (fields, expected) in &cases {
        let mut object = json!({
            "apiVersion": "wasmbed.github.io/v1alpha1",
            "kind": "Device",
            "metadata": {},
        });
        object.as_object_mut().expect("a map").extend(fields.as_object().cloned().expect("a map"));
        object["metadata"]["name"] = "d-1".into();
        object["spec"]["board"] = "host".into();
        let device: Device = serde_json::from_value(object).expect("a Device");
        assert_eq!(refusal(&device, &KEY), *expected, "{fields}");
        assert_eq!(is_pending(&device), *expected == Some(RefusedReason::PendingApproval));
    }
    println!("\ncases: {}\n", cases.len());
}
