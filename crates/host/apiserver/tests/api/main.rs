//! The server as its clients meet it: through kube-rs in this process, and over TLS.

mod aggregated;
mod applying;
mod conformance;
mod durability;
mod fixture;
mod hostile;
mod listing;
mod removing;
mod through_kube;
mod watching;
mod writing;
