//! Application: a WebAssembly module that is to run on the devices that a selector matches.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What is wanted of an Application.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "wasmbed.github.io",
    version = "v1alpha1",
    kind = "Application",
    plural = "applications",
    shortname = "app",
    category = "wasmbed",
    namespaced,
    status = "ApplicationStatus",
    derive = "PartialEq",
    doc = "A WebAssembly module that is to run on the devices that a selector matches.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("the name is part of what is signed: at most 63 characters"),
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
    printcolumn(name = "Matched", type_ = "integer", json_path = ".status.counts.matched"),
    printcolumn(name = "Running", type_ = "integer", json_path = ".status.counts.running"),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".status.counts.failed",
        priority = 1
    ),
    printcolumn(
        name = "Refused",
        type_ = "integer",
        json_path = ".status.counts.refused",
        priority = 1
    ),
    printcolumn(
        name = "Revision",
        type_ = "string",
        json_path = ".status.targetRevision",
        priority = 1
    ),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSpec {
    /// Where the WebAssembly module comes from.
    pub image: ImageSource,
    /// Devices of the same namespace that run it. The empty selector matches all of them.
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: LabelSelector,
    /// Bounds on what a guest may use, beyond those of its device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What the guest may do beyond computing, each as `NAME[:ARGUMENT][@COUNT/UNIT]`, where UNIT is
    /// `s`, `m` or `h` and bounds how often: `log`, `clock`, `timer`, `random`, `args`,
    /// `telemetry:PREFIX`, `send:TOPICPREFIX`, `receive:TOPICPREFIX`, `storage:BYTES`,
    /// `led:NAME_OR_INDEX`, `button:INDEX`, `i2c:0xADDRESS`, `uart:INDEX`.
    /// A module that imports a function of a capability that is not listed is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 64)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(one, one.matches('^(log|clock|timer|random|args|telemetry|send|receive|storage|led|button|i2c|uart)([:@].*)?$'))")
            .message("a capability is one of log, clock, timer, random, args, telemetry, send, receive, storage, led, button, i2c and uart, as NAME[:ARGUMENT][@COUNT/UNIT]"),
        validation = Rule::new("self.all(one, !one.contains('@') || one.matches('@[1-9][0-9]{0,4}/[smh]$'))")
            .message("how often is written @COUNT/UNIT at the end, with UNIT s, m or h, as in telemetry:room@10/s"),
        validation = Rule::new("self.all(one, one.matches('^[!-~]+$'))")
            .message("a capability has no spaces, and only ASCII characters that can be seen"),
    )]
    pub capabilities: Vec<String>,
    /// Arguments and environment of the guest: read by programs for WASI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    /// Whether a guest that ended is started again.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// Who comes first where not all applications fit on a device; higher is first.
    #[serde(default)]
    #[schemars(range(min = -32768, max = 32767))]
    pub priority: i32,
    /// Keeps the application installed, but not running.
    #[serde(default)]
    pub suspend: bool,
    /// Every change of this time restarts the guests once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub restarted_at: Option<Time>,
    /// How a new revision reaches the devices.
    #[serde(default)]
    pub rollout: Rollout,
}

/// Where a WebAssembly module comes from: exactly one of the fields.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.http), has(self.oci)].filter(set, set).size() == 1").message("exactly one of configMap, http and oci must be set"))]
pub struct ImageSource {
    /// A key of a ConfigMap in the same namespace, for small modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapSource>,
    /// An HTTP or HTTPS address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSource>,
    /// An artifact in an OCI registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciSource>,
}

/// A WebAssembly module in a ConfigMap.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its `binaryData`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// SHA-256 that the bytes must have, as `sha256:` and hex. Without it the bytes are taken
    /// that the ConfigMap holds when this generation of the Application is first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
}

/// A WebAssembly module behind an address.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpSource {
    /// The address.
    #[schemars(length(max = 2048), regex(pattern = "^https?://"))]
    pub url: String,
    /// SHA-256 that the bytes must have, as `sha256:` and hex.
    #[schemars(length(max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: String,
}

/// A WebAssembly module in an OCI registry.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OciSource {
    /// Reference by digest: `registry/repository@sha256:` and hex.
    #[schemars(length(max = 512), regex(pattern = "@sha256:[0-9a-f]{64}$"))]
    pub reference: String,
}

/// Bounds on what a guest may use. An absent one leaves it to the module and the device.
#[derive(KubeSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of linear memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4294967295_i64))]
    pub memory_bytes: Option<i64>,
    /// Bytes of the guest's stack of values and calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4294967295_i64))]
    pub stack_bytes: Option<i64>,
    /// WebAssembly operators between a start and the trap that ends the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub fuel: Option<i64>,
    /// How many calls within a circle of calls may be nested; one more traps. Without it, as many as
    /// fit into `stackBytes`, or into 4 KB where that is not stated either, but at least 16 then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub recursion_depth: Option<i64>,
    /// Elements that `table.grow` may reach in each table. Without it, tables do not grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub table_elements: Option<i64>,
}

/// Arguments and environment of a guest: at most 96 bytes together, with a byte more for each.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Arguments after the program's name, which is the Application's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 95), regex(pattern = "^[^\\x00]*$")))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub args: Vec<String>,
    /// Environment variables by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::environment")]
    pub env: BTreeMap<String, String>,
}

/// Whether a guest that ended is started again.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum RestartPolicy {
    /// Always.
    #[default]
    Always,
    /// After a trap or an exit code other than 0.
    OnFailure,
    /// Never.
    Never,
}

/// How a new revision reaches the devices.
#[derive(KubeSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The one strategy of this version sends it to every matching device at once.
    #[serde(default)]
    pub strategy: RolloutStrategy,
}

/// Strategies of a rollout.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum RolloutStrategy {
    /// To every matching device at once.
    #[default]
    AllAtOnce,
}

/// What was observed of an Application.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// Generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Prepared`, `Available` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Devices, counted by where the application stands on them.
    #[serde(default)]
    pub counts: Counts,
    /// Name of the revision that every matching device runs, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<String>,
    /// Name of the revision that devices are being brought to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_revision: Option<String>,
    /// Whether the target revision fits each board that the selector matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["board".into()]))]
    pub fit: Vec<BoardFit>,
}

/// Devices, counted by where the application stands on them.
#[derive(KubeSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Matched by the selector and enabled.
    #[serde(default)]
    pub matched: i64,
    /// Holding the target revision, running or not.
    #[serde(default)]
    pub installed: i64,
    /// Running the target revision.
    #[serde(default)]
    pub running: i64,
    /// Holding the target revision, trapped or ended with an error.
    #[serde(default)]
    pub failed: i64,
    /// Unable or unwilling to take the target revision.
    #[serde(default)]
    pub refused: i64,
}

/// Whether a revision fits one board.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardFit {
    /// Name of the board.
    #[schemars(length(min = 1, max = 63))]
    pub board: String,
    /// Whether it fits on a device of this board that runs nothing else.
    pub fits: bool,
    /// Matched devices of this board.
    pub devices: i64,
    /// Bytes of RAM the guest needs.
    pub needed_arena_bytes: i64,
    /// Bytes of RAM the board has for guests.
    pub arena_bytes: i64,
    /// Bytes of the image.
    pub needed_slot_bytes: i64,
    /// Bytes of the longest image that a slot of the board takes.
    pub slot_bytes: i64,
}
