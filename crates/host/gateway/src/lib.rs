//! TLS endpoint of the devices: sessions, enrolment, delivery of images, facts to the control API,
//! and live data as an aggregated Kubernetes API.
//!
//! It holds no signing key, reads no environment, and opens no file: certificates and the image
//! store are given to it.

mod address;
mod admission;
mod alpn;
mod bucket;
mod cluster;
mod config;
mod connection;
mod desired;
mod device_status;
mod health;
mod http_server;
mod images;
mod last_reset;
mod limits;
mod listener;
mod live;
mod mailbox;
mod metrics;
mod orphans;
mod presence;
mod registry;
mod ring;
mod session;
mod start;
mod status_writer;
mod tls;

pub use config::{Config, LiveConfig};
pub use limits::Limits;
pub use start::{Error, Running, run, start};
pub use tls::{ServerIdentity, TlsError};
