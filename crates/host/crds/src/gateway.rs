//! Gateway: where the devices of a namespace connect.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::schema;

/// What is wanted of a Gateway.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "wasmbed.github.io",
    version = "v1alpha1",
    kind = "Gateway",
    plural = "gateways",
    shortname = "gw",
    category = "wasmbed",
    namespaced,
    status = "GatewayStatus",
    derive = "PartialEq",
    doc = "Where the devices of its namespace connect. One object for all replicas.",
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
    printcolumn(name = "Connected", type_ = "integer", json_path = ".status.connected"),
    printcolumn(name = "Host", type_ = "string", json_path = ".spec.endpoint.host", priority = 1),
    printcolumn(name = "Port", type_ = "integer", json_path = ".spec.endpoint.port", priority = 1),
    printcolumn(
        name = "Certificate-Until",
        type_ = "date",
        json_path = ".status.certificateNotAfter",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Address that devices are told to connect to.
    pub endpoint: Endpoint,
    /// When and how devices without a token may enroll. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
    /// Seconds without a message after which a session ends.
    #[serde(default = "heartbeat_timeout_seconds")]
    #[schemars(range(min = 5, max = 3600))]
    pub heartbeat_timeout_seconds: i32,
    /// Sessions that one process takes.
    #[serde(default = "sessions_max")]
    #[schemars(range(min = 1, max = 1000000))]
    pub sessions_max: i32,
}

/// Three heartbeats of ten seconds.
fn heartbeat_timeout_seconds() -> i32 {
    30
}

/// Chosen: 10,000 sessions of 32 KB stay below half a gigabyte.
fn sessions_max() -> i32 {
    10_000
}

/// An address.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Host name or IP address.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// TCP port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// A pairing window: until it ends, every device that connects becomes a Device.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pairing {
    /// When the window closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time", required)]
    pub until: Option<Time>,
    /// Labels for the Devices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Whether the Devices are enabled at once, or wait for someone to enable them.
    #[serde(default)]
    pub auto_approve: bool,
}

/// What was observed of a Gateway.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `CertificateValid` and `Pairing`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Processes that serve, each written by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub replicas: Vec<GatewayReplica>,
    /// Devices that are connected, over all processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<i64>,
    /// Sessions that all processes together take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<i64>,
    /// When the first of the replicas' certificates ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub certificate_not_after: Option<Time>,
}

/// One gateway process.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayReplica {
    /// Name of the process: also of the Lease that it renews.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Address where other replicas reach its live API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Address on which it listens for devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_address: Option<String>,
    /// Sessions that it has. Written at most every ten seconds.
    #[serde(default)]
    pub connected: i64,
    /// Sessions that it takes.
    #[serde(default)]
    pub capacity: i64,
    /// When its certificate ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub certificate_not_after: Option<Time>,
}
