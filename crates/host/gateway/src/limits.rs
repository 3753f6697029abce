//! Bounds of the gateway: every queue, buffer and wait, with the reason for its number.
//!
//! What an operator may change is in [`Limits`]; the constants are part of the protocol or of the design.

use std::time::Duration;

use crate::bucket::Rate;

/// Bytes a record may take on the wire when the ALPN names no record class: the largest of TLS 1.3.
pub(crate) const RECORD_BYTES_MAX: u16 = 16_384;

/// Smallest record class that is served. Below it, a record's header and tag are most of the line.
pub(crate) const RECORD_BYTES_MIN: u16 = 128;

/// What TLS 1.3 adds to a fragment besides the header that rustls counts: content type and tag.
pub(crate) const RECORD_SEAL_BYTES: u16 = 17;

/// ALPN names that are looked at. A device offers one or two; a longer list is a scanner.
pub(crate) const ALPN_NAMES_MAX: usize = 8;

/// Addresses whose handshake rate is remembered. At 48 bytes each, half a megabyte.
pub(crate) const ADDRESSES_MAX: usize = 10_000;

/// Bytes of the frames that wait for one device. One image chunk is in flight, so this holds it
/// and several control messages.
pub(crate) const COMMANDS_QUEUED_MAX: usize = 16;

/// Commands that wait for their result on one device. More means that nobody reads the answers.
pub(crate) const COMMANDS_PENDING_MAX: usize = 8;

/// Bytes of images held in memory: a wave of one application needs one image, and eight of the
/// largest (64 KB) make a rollout of several applications independent of the disk.
pub(crate) const IMAGE_CACHE_BYTES_MAX: usize = 512 * 1024;

/// Source maps held in memory: traps come from few images at a time, and a map of the largest takes
/// some 200 KB.
pub(crate) const SOURCE_MAPS_MAX: usize = 8;

/// Devices without a session whose logs are still held, so that what a crashed device said last
/// can be read.
pub(crate) const DEPARTED_DEVICES_MAX: usize = 1_000;

/// How often this process compares its entry in the Gateway's status: a change of the number of
/// sessions costs one write in this time, not one per device.
pub(crate) const REPLICA_INTERVAL: Duration = Duration::from_secs(5);

/// Status writes in flight. The API server gives one manager about this many seats.
pub(crate) const STATUS_WRITES_MAX: usize = 16;

/// Status writes of one device: a deployment of eight applications in one go, then two a second. A
/// guest that fails and is restarted all the time changes more often than anyone can read.
pub(crate) const STATUS_PACE: Rate = Rate { burst: 40, per_second: 2 };

/// Wait before a device that has used up its pace is looked at again.
pub(crate) const STATUS_PACE_DELAY: Duration = Duration::from_millis(500);

/// How often one status write is tried again after a conflict before it waits for its next turn.
pub(crate) const STATUS_TRIES_MAX: u32 = 4;

/// Wait before a refused or unanswered status write is tried again.
pub(crate) const STATUS_RETRY_DELAY: Duration = Duration::from_secs(2);

/// How often enrolment tries a compare-and-swap that another gateway keeps winning.
pub(crate) const ENROLL_TRIES_MAX: u32 = 8;

/// How long a device's Hello waits for the caches of a gateway that starts: less than a device's own
/// patience.
pub(crate) const SYNC_WAIT: Duration = Duration::from_secs(5);

/// Highest session epoch that is taken from a device's word. Above it only the cluster counts, so
/// that no device can use up the numbers.
pub(crate) const EPOCH_TOLD_MAX: u64 = 1 << 31;

/// Devices that wait for approval at once: a pairing window may be open to the whole Internet.
pub(crate) const PENDING_DEVICES_MAX: usize = 1_000;

/// After a session begins, how long guests of the last session that the device has not named yet
/// stay in its status. A device names all it holds right after Welcome.
pub(crate) const INVENTORY_WAIT: Duration = Duration::from_secs(5);

/// A live query's body: the largest is a message of 256 bytes in Base64, with its topic.
pub(crate) const LIVE_BODY_BYTES_MAX: usize = 4 * 1024;

/// Connections of the live API at once, following readers included.
pub(crate) const LIVE_CONNECTIONS_MAX: usize = 256;

/// Connections of the health port at once: probes and one or two scrapers.
pub(crate) const HEALTH_CONNECTIONS_MAX: usize = 32;

/// What an operator may set. The defaults serve a few thousand devices behind one address.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Devices with a session or on the way to one.
    pub connections_max: usize,
    /// Connections that have not been welcomed yet: handshakes, and strangers that wait to enrol.
    pub handshakes_max: usize,
    /// The part of `handshakes_max` that one address may use.
    pub handshakes_per_address_max: usize,
    /// Handshakes one address may start each second, in the long run.
    pub handshakes_per_address_per_second: u32,
    /// Handshakes one address may start at once, after a pause. Many devices share one address.
    pub handshake_burst: u32,
    /// From accepting the connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the end of the handshake to Hello, and from EnrollRequired to Enroll.
    pub hello_timeout: Duration,
    /// How long a device may leave what it was sent unread.
    pub write_timeout: Duration,
    /// How often a device sends a heartbeat, told in Welcome.
    pub heartbeat_interval: Duration,
    /// Silence after which a session is ended, where the Gateway's spec does not say.
    pub heartbeat_timeout: Duration,
    /// How long a live command waits for the device's result.
    pub command_timeout: Duration,
    /// Bytes of log lines held for one device.
    pub log_bytes_max: usize,
    /// Bytes of telemetry samples held for one device.
    pub telemetry_bytes_max: usize,
    /// Bytes of messages held for one device.
    pub messages_bytes_max: usize,
    /// How often the Lease of this process is renewed.
    pub lease_interval: Duration,
    /// After how long without renewal the Lease counts as lost.
    pub lease_duration: Duration,
    /// How often devices are looked for that this process claimed before it was started anew.
    pub orphan_interval: Duration,
    /// How long the sessions may take to end when the gateway stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            handshakes_max: 512,
            handshakes_per_address_max: 256,
            handshakes_per_address_per_second: 100,
            handshake_burst: 400,
            handshake_timeout: Duration::from_secs(15),
            hello_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(20),
            heartbeat_interval: Duration::from_secs(10),
            heartbeat_timeout: Duration::from_secs(30),
            command_timeout: Duration::from_secs(10),
            log_bytes_max: 32 * 1024,
            telemetry_bytes_max: 16 * 1024,
            messages_bytes_max: 16 * 1024,
            lease_interval: Duration::from_secs(10),
            lease_duration: Duration::from_secs(30),
            orphan_interval: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(3),
        }
    }
}
