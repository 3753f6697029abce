//! VirtualDevice: a board to emulate.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What is wanted of a VirtualDevice.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "wasmbed.github.io",
    version = "v1alpha1",
    kind = "VirtualDevice",
    plural = "virtualdevices",
    shortname = "vd",
    category = "wasmbed",
    namespaced,
    status = "VirtualDeviceStatus",
    derive = "PartialEq",
    doc = "A board that QEMU emulates with its real firmware.",
    printcolumn(name = "Board", type_ = "string", json_path = ".spec.board"),
    printcolumn(name = "Power", type_ = "string", json_path = ".spec.power"),
    printcolumn(name = "Cable", type_ = "string", json_path = ".spec.cable"),
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
    printcolumn(name = "Device", type_ = "string", json_path = ".status.device"),
    printcolumn(
        name = "Restarts",
        type_ = "integer",
        json_path = ".status.restarts",
        priority = 1
    ),
    printcolumn(name = "Loss", type_ = "string", json_path = ".spec.line.loss", priority = 1),
    printcolumn(
        name = "Partition",
        type_ = "string",
        json_path = ".spec.line.partition",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualDeviceSpec {
    /// Board to emulate, by its name or by the one people know: `stm32vldiscovery` and
    /// `STM32VLDISCOVERY`, `olimex-stm32-h405` and `Olimex STM32-H405`. It never changes.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$")
    )]
    #[x_kube(validation = Rule::new("self == oldSelf").message("board is immutable").reason(Reason::FieldValueForbidden))]
    pub board: String,
    /// Whether the board has power.
    #[serde(default)]
    pub power: Power,
    /// Whether its network cable or serial line is plugged in.
    #[serde(default)]
    pub cable: Cable,
    /// How bad its cable or serial line is. Absent: it is perfect. A change is followed at once, and
    /// sessions go on as well as they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// Every change of this time presses the reset button once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub reset_at: Option<Time>,
    /// Sensors on the board's two-wire bus, each at an address of its own. Which ones there are is
    /// read when the board gets power; what they measure follows at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["address".into()]))]
    pub sensors: Vec<Sensor>,
    /// Labels for the Device that it becomes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Gateway that it connects to. Absent: the only one of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<GatewayRef>,
}

/// A Gateway of the same namespace.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A sensor that QEMU models.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sensor {
    /// What it is.
    pub model: SensorModel,
    /// Its 7-bit address on the bus: a TMP105 has one of 72 to 79.
    #[schemars(range(min = 72, max = 79))]
    pub address: u8,
    /// What it measures, in thousandths of a degree Celsius.
    #[serde(default = "room_temperature")]
    #[schemars(range(min = -40000, max = 125000))]
    pub millidegrees: i32,
}

/// Kinds of sensors.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum SensorModel {
    /// Temperature, by Texas Instruments.
    #[default]
    #[serde(rename = "tmp105")]
    Tmp105,
}

fn room_temperature() -> i32 {
    20_000
}

/// Whether a board has power.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Power {
    /// It runs.
    #[default]
    On,
    /// It is off; its flash keeps its content.
    Off,
}

/// Whether a cable is plugged in.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Cable {
    /// Plugged in.
    #[default]
    In,
    /// Pulled out.
    Out,
}

/// How bad a line is, on each way alike, in the words of `tc netem`. Shares are of frames on a network
/// cable, and of bytes on a serial line, with at most four decimals. Nothing overtakes.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.jitterMs) || self.jitterMs <= (has(self.delayMs) ? self.delayMs : 0)").message("jitterMs is at most delayMs"))]
pub struct Line {
    /// Share that is lost, as `5%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::percentage")]
    pub loss: Option<String>,
    /// Share that arrives twice, as `1%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::percentage")]
    pub duplicate: Option<String>,
    /// Share that arrives with one bit changed, as `0.01%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::percentage")]
    pub corrupt: Option<String>,
    /// Milliseconds that everything is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub delay_ms: Option<u32>,
    /// Milliseconds by which that is longer or shorter, at most. No more than the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub jitter_ms: Option<u32>,
    /// Ways on which nothing passes. Unlike with a cable that is out, nobody is told.
    #[serde(default)]
    pub partition: Partition,
    /// Decides what exactly is harmed: with the same seed, the same bytes in the same order fare the
    /// same. Absent: it follows from the object's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9007199254740991_i64))]
    pub seed: Option<i64>,
}

/// Ways on which nothing passes.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Partition {
    /// Both are open.
    #[default]
    None,
    /// Nothing comes from the device.
    Up,
    /// Nothing reaches the device.
    Down,
    /// Nothing passes at all.
    Both,
}

/// What was observed of a VirtualDevice.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualDeviceStatus {
    /// Generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Powered`, `Enrolled` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Name of the board, whichever of its names the spec has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub board: Option<String>,
    /// Name of the Device that it enrolled as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Process of the emulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// Path of the console's log on the machine that runs the emulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console_log: Option<String>,
    /// Why it ended last without being told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// Starts after a crash.
    #[serde(default)]
    pub restarts: i64,
    /// The `resetAt` that was followed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub reset_at: Option<Time>,
    /// What had passed its line when this generation of the spec was followed, since it got power:
    /// not written again in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineCounters>,
}

/// What passed a line: frames of a network cable, or bytes of a serial line.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineCounters {
    /// From the device.
    #[serde(default)]
    pub up: i64,
    /// To the device.
    #[serde(default)]
    pub down: i64,
    /// Lost: the line was out, bad, or too slow.
    #[serde(default)]
    pub lost: i64,
    /// Arrived twice.
    #[serde(default)]
    pub duplicated: i64,
    /// Arrived with one bit changed.
    #[serde(default)]
    pub corrupted: i64,
}

/// How an emulator ended without being told to.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Crash {
    /// One word.
    pub reason: String,
    /// A sentence with the exit code or signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
}
