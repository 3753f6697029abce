//! Every bound of this crate, and why it is what it is.

use std::time::Duration;

/// Bytes of a request body: what etcd, and so every Kubernetes, takes as one object, doubled.
pub(crate) const BODY_BYTES_MAX: usize = 3 << 20;
/// Bytes of one stored object, the limit users know from etcd.
pub(crate) const OBJECT_BYTES_MAX: usize = 1_572_864;
/// Bytes of request headers: a token and a long Accept fit; a flood does not.
pub(crate) const HEADER_BYTES_MAX: usize = 32 << 10;
/// Connections served at once: one machine's tools, with room for a browser or ten.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// HTTP/2 requests in progress on a connection: kube-rs holds a dozen watches, kubectl a few.
pub(crate) const STREAMS_PER_CONNECTION_MAX: u32 = 250;
/// Watches open at once, over all connections and in-process clients.
pub(crate) const WATCHES_MAX: usize = 2048;
/// How long a stranger may take for its TLS handshake or its request header.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests may go on after shutdown was asked for.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Writes that share one commit: past 64 the gain per write is under a tenth (measured).
pub(crate) const WRITES_PER_COMMIT_MAX: usize = 128;
/// Writes waiting for the writer; further ones wait in their own request.
pub(crate) const WRITES_QUEUED_MAX: usize = 512;
/// Bytes of database pages held in memory: the inner nodes of 100,000 objects and the hot leaves.
pub(crate) const CACHE_BYTES: usize = 6 << 20;
/// Events a resource remembers for watches that come back.
pub(crate) const HISTORY_EVENTS_MAX: usize = 4096;
/// Bytes a resource's remembered events may hold.
pub(crate) const HISTORY_BYTES_MAX: usize = 3 << 20;
/// Bytes a list or watch sends in one piece.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;
/// Objects of one list page at most, whatever `limit` says.
pub(crate) const PAGE_OBJECTS_MAX: usize = 100_000;
/// Times a patch is tried again after somebody else wrote first; Kubernetes has 5.
pub(crate) const CONFLICT_RETRIES_MAX: usize = 16;
/// Nesting of a JSON value: serde_json's own bound is 128, and a schema is never this deep.
pub(crate) const DEPTH_MAX: usize = 100;
/// Pause before the collector tries again what was refused.
pub(crate) const COLLECTOR_RETRY: Duration = Duration::from_secs(1);
/// Time for which an Event is kept after it was seen last, as in Kubernetes.
pub(crate) const EVENT_AGE_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
/// Pause between two looks for Events that are too old.
pub(crate) const EVENT_SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Changes that a watch takes out of the history in one go, under its lock.
pub(crate) const CHANGES_PER_TURN_MAX: usize = 256;
/// Bytes of a field manager's name, as in Kubernetes.
pub(crate) const FIELD_MANAGER_BYTES_MAX: usize = 128;
/// Pause between pings on a quiet HTTP/2 connection, so that a vanished peer is noticed.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(60);
/// Pause after a connection could not be accepted, for others to give back what is short.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Bytes of a label or field selector.
pub(crate) const SELECTOR_BYTES_MAX: usize = 16 << 10;
/// Operations in one JSON patch, as in Kubernetes.
pub(crate) const PATCH_OPERATIONS_MAX: usize = 10_000;
/// Bytes of all annotations together, as in Kubernetes.
pub(crate) const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;
/// Update managers kept apart in managedFields; older ones are joined, as in Kubernetes.
pub(crate) const UPDATE_MANAGERS_MAX: usize = 10;
/// Validation errors reported for one object.
pub(crate) const CAUSES_MAX: usize = 32;
/// Pause between bookmarks of a quiet watch, as in Kubernetes.
pub(crate) const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// Watch length when the client names none; Kubernetes takes 30 to 60 minutes.
pub(crate) const WATCH_TIMEOUT: Duration = Duration::from_secs(45 * 60);
/// Longest watch a client may ask for.
pub(crate) const WATCH_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long an aggregated API may take to accept a connection and begin its answer.
pub(crate) const BACKEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long discovery waits for an aggregated API before it lists the group without resources.
pub(crate) const BACKEND_DISCOVERY_TIMEOUT: Duration = Duration::from_millis(800);
/// How long an aggregated API's resource list is believed.
pub(crate) const BACKEND_DISCOVERY_AGE: Duration = Duration::from_secs(30);
/// Bytes of an aggregated API's resource list.
pub(crate) const BACKEND_DISCOVERY_BYTES_MAX: usize = 256 << 10;
/// Days a certificate made here is valid; it is renewed at start when a third is left.
pub(crate) const LEAF_DAYS: i64 = 397;
/// Days the certificate authority made here is valid.
pub(crate) const AUTHORITY_DAYS: i64 = 3650;
