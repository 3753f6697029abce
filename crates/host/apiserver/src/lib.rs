//! Kubernetes API for one machine: custom resources given at start, and the few built-in kinds
//! that controllers and `kubectl` need beside them. Knows no wasmbed kind.
//!
//! Left out on purpose: pods and everything that runs them, RBAC objects, admission webhooks,
//! conversion webhooks, definitions changed at run time.

mod accept;
mod access;
mod aggregate;
mod apply;
mod authority;
mod builtin;
mod cel;
mod collect;
mod columns;
mod config;
mod decode;
mod discovery;
mod events;
mod fields;
mod kind;
mod limits;
mod list;
mod managed;
mod negotiate;
mod object;
mod openapi;
mod patch;
mod protobuf;
mod remove;
mod reply;
mod request;
mod route;
mod scale;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod table;
mod watch;
mod write;

pub use config::{AggregatedApi, Config, Tls, Token};
pub use server::{ApiServer, Running, StartError};
