//! Bounds of the runtime, each with the reason for its number.

/// Guests that one device can hold: what one desired state message may list.
pub const GUESTS_MAX: usize = 8;

/// Bytes of the buffer that collects one incoming frame: length prefix and the largest body.
pub const FRAME_IN_BYTES: usize = 2 + 480;

/// Bytes that the buffer of one outgoing frame must have: Hello is the longest message of a device.
pub const FRAME_OUT_BYTES_MIN: usize = 256;

/// Bytes of the TLS record buffer: the record class that `wasmbed/1-512` promises.
pub const RECORD_BYTES: usize = 512;

/// Bytes of the TLS send buffer: the size that the TLS client was measured with.
pub const SEND_BYTES: usize = 256;

/// Longest run of a guest before the loop looks after the session again. Chosen: at 10 ms a full
/// receive FIFO of a 115,200 baud line (about 115 bytes) still fits the ring behind it.
pub const SLICE_US: u32 = 10_000;
