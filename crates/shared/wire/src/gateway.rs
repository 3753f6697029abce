//! What a gateway says.

use minicbor::{Decode, Encode};

use crate::codes::RefusedReason;
use crate::ids::AppId;
use crate::limits;
use crate::seq::Seq;

/// The session stands.
///
/// # Source
/// docs/protocol.md, "Welcome", message 0x81, since protocol version 1.0.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Welcome<'b> {
    /// Number of this session; grows with every session of the device.
    #[n(0)]
    pub epoch: u64,
    /// Wall-clock time, in milliseconds since 1970-01-01T00:00:00Z.
    #[n(1)]
    pub unix_ms: u64,
    /// Name of the Device resource.
    #[b(2)]
    pub device: &'b str,
    /// Interval between heartbeats, in milliseconds.
    #[n(3)]
    pub heartbeat_ms: u32,
    /// Minor version the session uses.
    #[n(4)]
    pub minor: u8,
}

/// The session ends before it began. This message keeps its shape in all versions.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Refused {
    /// Why.
    #[n(0)]
    pub reason: RefusedReason,
    /// Milliseconds to wait before the next attempt.
    #[n(1)]
    pub retry_ms: u32,
    /// Oldest major version the gateway speaks.
    #[n(2)]
    pub major_min: u8,
    /// Newest major version the gateway speaks.
    #[n(3)]
    pub major_max: u8,
}

/// The key is unknown: the only message allowed next is Enroll.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct EnrollRequired {}

/// One application a device shall hold.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct DesiredEntry {
    /// Which.
    #[n(0)]
    pub app: AppId,
    /// Which generation of it.
    #[n(1)]
    pub generation: u64,
    /// Whether it shall run, or only be installed.
    #[n(2)]
    pub run: bool,
    /// A change of this number restarts the guest once.
    #[n(3)]
    pub restart_token: u32,
}

/// Everything the device shall hold; what is not named here is removed.
#[derive(Clone, Copy, Debug, Decode, Encode, PartialEq)]
#[cbor(map)]
pub struct DesiredState<'b> {
    /// Grows within a session; a lower one than the last is ignored.
    #[n(0)]
    pub revision: u64,
    /// The set, in the order of precedence.
    #[b(1)]
    pub apps: Seq<'b, DesiredEntry, { limits::APPS_PER_DEVICE_MAX }>,
}

/// The signed manifest of an image: answers an InstallRequest without an offset.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Install<'b> {
    /// Which application.
    #[n(0)]
    pub app: AppId,
    /// Which generation.
    #[n(1)]
    pub generation: u64,
    /// The manifest as it was signed; decoded by `image`.
    #[cbor(b(2), with = "minicbor::bytes")]
    pub manifest: &'b [u8],
    /// Ed25519 signature over the manifest.
    #[cbor(b(3), with = "minicbor::bytes")]
    pub signature: &'b [u8],
}

/// A piece of an image: answers an InstallRequest with an offset.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct InstallChunk<'b> {
    /// Which application.
    #[n(0)]
    pub app: AppId,
    /// Which generation.
    #[n(1)]
    pub generation: u64,
    /// Position of the first byte in the image.
    #[n(2)]
    pub offset: u32,
    /// Image bytes; at most [`limits::CHUNK_BYTES_MAX`].
    #[cbor(b(3), with = "minicbor::bytes")]
    pub bytes: &'b [u8],
}

/// A message for every guest that may receive its topic. The same id is delivered once.
///
/// # Source
/// docs/protocol.md, "Deliver", message 0x8d, since protocol version 1.1.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Deliver<'b> {
    /// Chosen by the gateway, growing within a session.
    #[n(0)]
    pub id: u64,
    /// What it is about.
    #[b(1)]
    pub topic: &'b str,
    /// The message, at most [`limits::PAYLOAD_BYTES_MAX`] bytes.
    #[cbor(b(2), with = "minicbor::bytes")]
    pub payload: &'b [u8],
}

/// A command to the device itself: Ping, Reboot. The same id is carried out once.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Command {
    /// Chosen by the gateway, growing within a session.
    #[n(0)]
    pub id: u64,
}

/// A command to one guest: Start, Stop, Restart, Remove. The same id is carried out once.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct AppCommand {
    /// Chosen by the gateway, growing within a session.
    #[n(0)]
    pub id: u64,
    /// Which guest.
    #[n(1)]
    pub app: AppId,
}
