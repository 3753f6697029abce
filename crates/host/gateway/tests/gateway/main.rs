//! A whole gateway against an API server in the same process and devices in software.

mod device;
mod enrollment;
mod harness;
mod hostile;
mod live_api;
mod messages;
mod peer;
mod sessions;
mod wire;
