//! What a gateway says.

use wasmbed_cbor::records;

use crate::codes::RefusedReason;
use crate::ids::AppId;
use crate::limits;
use crate::seq::Seq;

records! {
    /// The session stands.
    ///
    /// # Source
    /// docs/protocol.md, "Welcome", message 0x81, since protocol version 1.0.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Welcome<'b> {
        /// Number of this session; grows with every session of the device.
        0 => epoch: u64,
        /// Wall-clock time, in milliseconds since 1970-01-01T00:00:00Z.
        1 => unix_ms: u64,
        /// Name of the Device resource.
        2 => device: &'b str,
        /// Interval between heartbeats, in milliseconds.
        3 => heartbeat_ms: u32,
        /// Minor version the session uses.
        4 => minor: u8,
    }

    /// The session ends before it began. This message keeps its shape in all versions.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Refused {
        /// Why.
        0 => reason: RefusedReason,
        /// Milliseconds to wait before the next attempt.
        1 => retry_ms: u32,
        /// Oldest major version the gateway speaks.
        2 => major_min: u8,
        /// Newest major version the gateway speaks.
        3 => major_max: u8,
    }

    /// The key is unknown: the only message allowed next is Enroll.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct EnrollRequired {}

    /// One application a device shall hold.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct DesiredEntry {
        /// Which.
        0 => app: AppId,
        /// Which generation of it.
        1 => generation: u64,
        /// Whether it shall run, or only be installed.
        2 => run: bool,
        /// A change of this number restarts the guest once.
        3 => restart_token: u32,
    }

    /// Everything the device shall hold; what is not named here is removed.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct DesiredState<'b> {
        /// Grows within a session; a lower one than the last is ignored.
        0 => revision: u64,
        /// The set, in the order of precedence.
        1 => apps: Seq<'b, DesiredEntry, { limits::APPS_PER_DEVICE_MAX }>,
    }

    /// The signed manifest of an image: answers an InstallRequest without an offset.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Install<'b> {
        /// Which application.
        0 => app: AppId,
        /// Which generation.
        1 => generation: u64,
        /// The manifest as it was signed; decoded by `image`.
        2 => manifest: &'b [u8],
        /// Ed25519 signature over the manifest.
        3 => signature: &'b [u8],
    }

    /// A piece of an image: answers an InstallRequest with an offset.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct InstallChunk<'b> {
        /// Which application.
        0 => app: AppId,
        /// Which generation.
        1 => generation: u64,
        /// Position of the first byte in the image.
        2 => offset: u32,
        /// Image bytes; at most [`limits::CHUNK_BYTES_MAX`].
        3 => bytes: &'b [u8],
    }

    /// A message for every guest that may receive its topic. The same id is delivered once.
    ///
    /// # Source
    /// docs/protocol.md, "Deliver", message 0x8d, since protocol version 1.1.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Deliver<'b> {
        /// Chosen by the gateway, growing within a session.
        0 => id: u64,
        /// What it is about.
        1 => topic: &'b str,
        /// The message, at most [`limits::PAYLOAD_BYTES_MAX`] bytes.
        2 => payload: &'b [u8],
    }

    /// A command to the device itself: Ping, Reboot. The same id is carried out once.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Command {
        /// Chosen by the gateway, growing within a session.
        0 => id: u64,
    }

    /// A command to one guest: Start, Stop, Restart, Remove. The same id is carried out once.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct AppCommand {
        /// Chosen by the gateway, growing within a session.
        0 => id: u64,
        /// Which guest.
        1 => app: AppId,
    }
}
