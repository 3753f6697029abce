//! Bounds of lists and strings in the custom resources.
//!
//! A bound keeps objects small, and lets an API server prove that a validation rule is cheap.

/// Guests one Device reports: as many as one desired set holds, doubled for those leaving.
pub const DEVICE_APPLICATIONS_MAX: usize = 16;
/// Times one Enrollment may be used; every use is kept in its status, about 150 bytes each.
pub const ENROLLMENT_USES_MAX: i64 = 1000;
/// Gateway processes in one namespace. Chosen: far above what one fleet needs.
pub const GATEWAY_REPLICAS_MAX: usize = 64;
/// Boards in a fit report: every board there is, with room to grow.
pub const FIT_BOARDS_MAX: usize = 64;
/// Capabilities one Application may ask for: as many as its signed manifest holds.
pub const CAPABILITIES_MAX: usize = 16;
/// Bytes of a WebAssembly module: what an API object may hold, so that every source is alike.
pub const MODULE_BYTES_MAX: usize = 1 << 20;
