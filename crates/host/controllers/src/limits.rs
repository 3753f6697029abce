//! Bounds and pauses of the controllers.

use std::time::Duration;

/// Requests to reconcile that wait in one queue. Chosen: a full one slows the watch, which is
/// harmless, because the same object waits only once.
pub const QUEUE_REQUESTS_MAX: usize = 1024;
/// Objects of one kind that are reconciled at the same time.
pub const CONCURRENT_RECONCILES: u16 = 8;
/// Time between two writes of one Application's status that nobody asked for: a thousand devices
/// that report within a second cost twenty writes. Too short for a person to notice.
pub const STATUS_PAUSE: Duration = Duration::from_millis(50);
/// Revisions of one Application that are kept, for undo.
pub const REVISIONS_KEPT: usize = 10;
/// Time in which a module must have arrived.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Redirects that are followed.
pub const FETCH_REDIRECTS_MAX: usize = 5;
/// First pause after a failure that may pass; it doubles up to the next constant.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest pause after a failure that may pass.
pub const RETRY_MAX: Duration = Duration::from_secs(300);
/// Pause after somebody else wrote the object first.
pub const CONFLICT_PAUSE: Duration = Duration::from_millis(20);
/// How long a gateway process may be without a Lease before its devices are given up: its Lease
/// may reach us after its devices' statuses do.
pub const LEASE_GRACE: Duration = Duration::from_secs(10);
/// Devices of a lost gateway that are marked each second, so that a lost gateway does not become a
/// storm of writes.
pub const LOST_DEVICES_PER_SECOND: u32 = 500;
/// Time between two looks for images that no revision names. An image goes at the second.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(600);
