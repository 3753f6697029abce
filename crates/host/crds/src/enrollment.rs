//! Enrollment: how strangers become Devices.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::schema;

/// What an Enrollment allows.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "wasmbed.github.io",
    version = "v1alpha1",
    kind = "Enrollment",
    plural = "enrollments",
    shortname = "enr",
    category = "wasmbed",
    namespaced,
    status = "EnrollmentStatus",
    derive = "PartialEq",
    doc = "A token with which strangers become Devices, once or a counted number of times.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Used", type_ = "integer", json_path = ".status.used"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.maxUses"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expiresAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentSpec {
    /// SHA-256 of the token, in hex. The token itself is nowhere in the API.
    #[schemars(length(equal = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("tokenSha256 is immutable").reason(Reason::FieldValueForbidden))]
    pub token_sha256: String,
    /// Devices that may use it. The same key again costs nothing.
    #[serde(default = "max_uses")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_uses: i64,
    /// When it ends. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub expires_at: Option<Time>,
    /// Labels for the Devices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Whether the Devices are enabled at once, or wait for someone to enable them.
    #[serde(default = "auto_approve")]
    pub auto_approve: bool,
}

fn max_uses() -> i64 {
    1
}

fn auto_approve() -> bool {
    true
}

/// What was observed of an Enrollment.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentStatus {
    /// Generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: it can be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Number of entries in `uses`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<i64>,
    /// Who used it. A gateway appends by compare-and-swap on the object's resourceVersion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["publicKey".into()]))]
    pub uses: Vec<EnrollmentUse>,
}

/// One use of a token.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentUse {
    /// Public key of the device, in Base64.
    #[schemars(length(max = 44))]
    pub public_key: String,
    /// Name of the Device.
    #[schemars(length(max = 63))]
    pub device: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
}
