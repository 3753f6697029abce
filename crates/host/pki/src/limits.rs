//! Bounds and lifetimes of what is issued.

/// Bytes of a gateway's certificate: a device wants the handshake message whole in one record of
/// 512 bytes, beside the other messages of the server's flight.
pub const GATEWAY_LEAF_BYTES_MAX: usize = 300;
/// Days a leaf certificate is valid. Chosen: rotated by itself at two thirds, so an installation
/// that is started a few times a year never meets the end.
pub const LEAF_DAYS: i64 = 365;
/// Days an authority is valid. Devices pin its key and do not look at the date.
pub const AUTHORITY_DAYS: i64 = 20 * 365;
/// Seconds a certificate is valid before it was made, for clocks that are behind.
pub const BACKDATE_S: i64 = 3600;
/// Days before its end from which a leaf is replaced when someone asks for it: a third.
pub const RENEW_DAYS: i64 = LEAF_DAYS / 3;
