//! Device: one enrolled board.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::schema;

/// What is wanted of a Device.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "wasmbed.github.io",
    version = "v1alpha1",
    kind = "Device",
    plural = "devices",
    shortname = "dev",
    category = "wasmbed",
    namespaced,
    status = "DeviceStatus",
    derive = "PartialEq",
    doc = "One enrolled board. Its name derives from its public key; deleting it forgets the key, disabling it denies the key.",
    selectable = ".spec.board",
    printcolumn(
        name = "Alias",
        type_ = "string",
        json_path = ".metadata.labels.wasmbed\\.github\\.io/alias"
    ),
    printcolumn(name = "Board", type_ = "string", json_path = ".spec.board"),
    printcolumn(
        name = "Connected",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Connected\")].status"
    ),
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
    printcolumn(name = "Firmware", type_ = "string", json_path = ".status.firmware", priority = 1),
    printcolumn(name = "Gateway", type_ = "string", json_path = ".status.gateway", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DeviceSpec {
    /// Ed25519 public key of the device: 32 bytes in Base64. It never changes.
    #[schemars(length(equal = 44), regex(pattern = "^[A-Za-z0-9+/]{43}=$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("publicKey is immutable").reason(Reason::FieldValueForbidden))]
    pub public_key: String,
    /// Board, as the device named it when it enrolled.
    #[schemars(length(min = 1, max = 63))]
    pub board: String,
    /// Whether the device may have a session. False keeps the object as the deny record.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn enabled() -> bool {
    true
}

/// What was observed of a Device. Written on transitions only.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatus {
    /// Generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Enrolled`, `Connected` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Gateway process that holds, or held last, the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Number of the newest session. A writer with an older one has lost its say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Firmware version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Protocol version of the session, as `1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// SHA-256 of the device tree blob that the firmware was built from, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtb_digest: Option<String>,
    /// Number of the image format that the engine executes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_format: Option<i32>,
    /// What fits on the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<DeviceBudget>,
    /// What the firmware offers to guests: capabilities, and `wasi`. Absent where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(max = 16)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub host_interface: Option<Vec<String>>,
    /// Starts since the device's journal was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_count: Option<i64>,
    /// Why the device started last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reset: Option<LastReset>,
    /// Guests, as the device itself reported them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub applications: Vec<DeviceApplication>,
}

/// What fits on a device, as it said in its Hello.
#[derive(KubeSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceBudget {
    /// Bytes of RAM that all guests share.
    pub arena_bytes: i64,
    /// Bytes of the longest image that one slot takes.
    pub slot_bytes: i64,
    /// Image slots, the spare one for updates included.
    pub slots: i32,
    /// Guests that can be installed at once.
    pub guests: i32,
}

/// Why a device started.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastReset {
    /// One word: `PowerOn`, `Commanded`, `Panic`, `HardFault`, `Watchdog`, `StackOverflow`.
    #[schemars(length(max = 32))]
    pub reason: String,
    /// Where it stopped, after a panic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub detail: Option<String>,
    /// When a gateway first heard of this start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
    /// The registers, after a fault or where the loop of the firmware was stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<LastFault>,
}

/// Where a firmware stopped: registers of its processor, in hex.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFault {
    /// What happened, in one word, e.g. `ExecutionRefused`, `AccessRefused`, `BusError`, `Stuck`.
    #[schemars(length(max = 32))]
    pub kind: String,
    /// Program counter. Absent where the stack that should hold it was used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub pc: Option<String>,
    /// Link register. Absent where the stack that should hold it was used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub lr: Option<String>,
    /// Configurable fault status register.
    #[schemars(length(max = 10))]
    pub cfsr: String,
    /// Hard fault status register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub hfsr: Option<String>,
    /// Address of the access, where the processor knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub address: Option<String>,
}

/// One guest of a device.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceApplication {
    /// Name of the Application; its UID where the object is gone.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// UID of the Application.
    #[schemars(length(max = 36))]
    pub uid: String,
    /// Generation of the manifest that the device holds.
    pub generation: i64,
    /// SHA-256 of the image that the device holds, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Where the guest stands, e.g. `Running`. `Refused` also where the gateway did not send it.
    pub state: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence with the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Starts after a failure since it was installed.
    #[serde(default)]
    pub restarts: i64,
    /// Fuel that the guest had consumed when the state began, in source operators. How much it has
    /// consumed since is in `devices/NAME/counters` of the live API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<i64>,
    /// Bytes of RAM that the guest took when the state began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<i64>,
    /// When the device starts the failed guest again. Absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_start_time: Option<Time>,
    /// The last trap, also after the guest was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trap: Option<LastTrap>,
    /// When the state began, as the gateway saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_transition_time: Option<Time>,
}

/// Where and why a guest trapped.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastTrap {
    /// What it did, e.g. `TrapDivideByZero`.
    pub reason: String,
    /// Index of the function in the WebAssembly module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<i64>,
    /// Byte offset of the operator in the WebAssembly module, as its tools show it. Absent where the
    /// image's source map is not at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_offset: Option<i64>,
    /// Byte offset in the code section of the device image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_offset: Option<i64>,
    /// Generation of the Application that trapped.
    pub generation: i64,
    /// When the gateway was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
}
