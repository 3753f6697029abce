//! What an author of guests uses on their own machine: new projects, building, explaining images,
//! and running a guest without a board. Leaves out deploying, which is the Kubernetes API's, and
//! how things are shown beyond lines of text.

mod build;
mod error;
mod explain;
mod limits;
mod local;
mod manifest;
mod names;
mod project;
mod template;
mod toolchain;

pub use build::{BuildOptions, Built, build};
pub use error::WorkshopError;
pub use explain::{BoardFit, Explanation, explain, read};
pub use local::{Ending, Event, Input, LocalGuest, LocalOptions, Sensor, What, duration, run};
pub use manifest::{ApplicationFile, GuestLimits, stamp};
pub use project::{Language, Project};
pub use template::{Template, create};
