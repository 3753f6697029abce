//! ApplicationRevision: what was signed for one generation of an Application. Never changes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::application::{Config, ImageSource, Limits, RestartPolicy};
use crate::schema;

/// What was prepared and signed.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "wasmbed.github.io",
    version = "v1alpha1",
    kind = "ApplicationRevision",
    plural = "applicationrevisions",
    shortname = "apprev",
    category = "wasmbed",
    namespaced,
    status = "ApplicationRevisionStatus",
    derive = "PartialEq",
    doc = "What was prepared and signed for one generation of an Application. It never changes.",
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.applicationRef.name"),
    printcolumn(name = "Generation", type_ = "integer", json_path = ".spec.generation"),
    printcolumn(name = "Image-Bytes", type_ = "integer", json_path = ".spec.imageBytes"),
    printcolumn(
        name = "Image-Digest",
        type_ = "string",
        json_path = ".spec.imageDigest",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a revision is immutable").reason(Reason::FieldValueForbidden))]
pub struct ApplicationRevisionSpec {
    /// The Application it was made for.
    pub application_ref: ApplicationRef,
    /// Generation of the Application it was made for: signed, and refused by a device that has
    /// seen a higher one.
    #[schemars(range(min = 1))]
    pub generation: i64,
    /// What the Application said at that generation. For people and controllers: devices believe
    /// the manifest alone.
    pub template: RevisionTemplate,
    /// SHA-256 of the WebAssembly module, in hex.
    #[schemars(length(equal = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub module_digest: String,
    /// SHA-256 of the device image, in hex.
    #[schemars(length(equal = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub image_digest: String,
    /// Bytes of the device image.
    #[schemars(range(min = 1, max = 4294967295_i64))]
    pub image_bytes: i64,
    /// Number of the image's format.
    #[schemars(range(min = 0, max = 255))]
    pub image_format: i32,
    /// What a device must have to run it.
    pub needs: Needs,
    /// What the firmware of a device must offer: capabilities, and `wasi`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 16)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub host_interface: Vec<String>,
    /// The signed manifest, in Base64.
    #[schemars(length(max = 1024))]
    pub manifest: String,
    /// Ed25519 signature over the manifest, in Base64. Devices verify it; nobody else has to.
    #[schemars(length(equal = 88))]
    pub signature: String,
}

/// The Application a revision was made for.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID.
    #[schemars(length(equal = 36))]
    pub uid: String,
}

/// The part of an Application's spec that is signed. Other fields take effect without a revision.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionTemplate {
    /// Where the module came from.
    pub image: ImageSource,
    /// Bounds on what a guest may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What the guest may do beyond computing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub capabilities: Vec<String>,
    /// Arguments and environment of the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    /// Whether a guest that ended is started again.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// Who comes first where not all applications fit on a device.
    #[serde(default)]
    pub priority: i32,
}

/// What a device must have to run an image. Proved by the compiler.
#[derive(KubeSchema, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Needs {
    /// Bytes of RAM in all: image, memory, stack and tables.
    pub arena_bytes: i64,
    /// Bytes of lowered code among them.
    pub code_bytes: i64,
    /// Bytes of linear memory among them.
    pub memory_bytes: i64,
    /// Bytes of stack among them.
    pub stack_bytes: i64,
}

/// What was observed of a revision.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationRevisionStatus {
    /// `Ready`: the image can be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
