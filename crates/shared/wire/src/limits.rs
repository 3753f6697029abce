//! Bounds of everything a message can carry, each with the reason for its number.

/// Bytes of one frame body. With the two length bytes it fits one TLS record of the 512-byte class
/// (490 bytes of plaintext), so a small device never waits for a second record.
pub const FRAME_BODY_BYTES_MAX: usize = 480;
/// Bytes of the length prefix of a frame.
pub const FRAME_HEADER_BYTES: usize = 2;
/// Image bytes in one chunk: the largest multiple of 128 that leaves room for ids and offsets.
pub const CHUNK_BYTES_MAX: usize = 384;
/// Applications one device can be asked to hold: a whole desired state must fit one frame.
pub const APPS_PER_DEVICE_MAX: usize = 8;
/// Bytes of a board or firmware name.
pub const NAME_BYTES_MAX: usize = 63;
/// Bytes of an enrolment token: 128 bits in any usual text form.
pub const TOKEN_BYTES_MAX: usize = 64;
/// Bytes of one log line; longer ones are split by the device.
pub const LOG_BYTES_MAX: usize = 256;
/// Bytes of a topic, of telemetry and of messages.
pub const TOPIC_BYTES_MAX: usize = 32;
/// Bytes of a message's payload: with topic and header it takes two thirds of a frame, and a device
/// that queues one needs no more room than for a log line.
pub const PAYLOAD_BYTES_MAX: usize = 256;
/// Bytes of a signed manifest: it travels in one frame beside its 64-byte signature.
pub const MANIFEST_BYTES_MAX: usize = 360;
/// Bytes of an image: one journal slot.
pub const IMAGE_BYTES_MAX: u32 = 64 * 1024;
/// Pinned keys of each kind: one in use and the next, so that a key can roll.
pub const PINS_MAX: usize = 2;
/// Bytes of an encoded provisioning record: one journal value.
pub const PROVISIONING_BYTES_MAX: usize = 320;
