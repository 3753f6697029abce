//! Types of conditions.

/// The one that sums up all others of an object.
pub const READY: &str = "Ready";
/// Device: its key is known and may have a session. VirtualDevice: it became a Device.
pub const ENROLLED: &str = "Enrolled";
/// Device: it has a session.
pub const CONNECTED: &str = "Connected";
/// Application: its module is prepared, signed and stored.
pub const PREPARED: &str = "Prepared";
/// Application: at least one matching device runs the target revision.
pub const AVAILABLE: &str = "Available";
/// Gateway: its certificate is valid and does not end soon.
pub const CERTIFICATE_VALID: &str = "CertificateValid";
/// Gateway: the pairing window is open.
pub const PAIRING: &str = "Pairing";
/// VirtualDevice: the emulator runs.
pub const POWERED: &str = "Powered";
