//! The custom resources of Wasmbed, group `wasmbed.github.io`, version `v1alpha1`.
//!
//! Types, their schema and validation rules, and conversions to `model` types. What is done about
//! them is not here.
#![expect(
    clippy::duplicated_attributes,
    reason = "printer columns share their types, and the lint takes them for one attribute"
)]

pub mod application;
pub mod application_revision;
pub mod condition;
pub mod desired;
pub mod device;
pub mod enrollment;
pub mod gateway;
pub mod limits;
mod schema;
pub mod virtual_device;
pub mod watching;
pub mod yaml;

pub use application::{Application, ApplicationSpec, ApplicationStatus};
pub use application_revision::{
    ApplicationRevision, ApplicationRevisionSpec, ApplicationRevisionStatus,
};
pub use device::{Device, DeviceSpec, DeviceStatus};
pub use enrollment::{Enrollment, EnrollmentSpec, EnrollmentStatus};
pub use gateway::{Gateway, GatewaySpec, GatewayStatus};
pub use virtual_device::{VirtualDevice, VirtualDeviceSpec, VirtualDeviceStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every kind here.
pub const GROUP: &str = "wasmbed.github.io";
/// The one version.
pub const VERSION: &str = "v1alpha1";
/// Group of the aggregated API with live data, served by the gateways.
pub const LIVE_GROUP: &str = "live.wasmbed.github.io";

/// Label with the name people gave a Device. A VirtualDevice gives its own name.
pub const LABEL_ALIAS: &str = "wasmbed.github.io/alias";
/// Label with the board of a Device.
pub const LABEL_BOARD: &str = "wasmbed.github.io/board";
/// Label with the name of the Application that an ApplicationRevision belongs to.
pub const LABEL_APPLICATION: &str = "wasmbed.github.io/application";
/// Label of a gateway process's Lease with the name of its Gateway.
pub const LABEL_GATEWAY: &str = "wasmbed.github.io/gateway";

/// The definition of every kind, in the order in which they should be created.
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![
        Device::crd(),
        Application::crd(),
        ApplicationRevision::crd(),
        Gateway::crd(),
        VirtualDevice::crd(),
        Enrollment::crd(),
    ];
    definitions.iter_mut().for_each(schema::tidy);
    definitions
}
