//! Reasons of conditions: the words that scripts may rely on.

/// All is as it should be.
pub const AS_EXPECTED: &str = "AsExpected";
/// Not looked at yet.
pub const PENDING: &str = "Pending";

// Device.
/// It has a session.
pub const SESSION_OPEN: &str = "SessionOpen";
/// Its session ended.
pub const SESSION_CLOSED: &str = "SessionClosed";
/// It was silent for longer than the heartbeat timeout.
pub const HEARTBEAT_TIMEOUT: &str = "HeartbeatTimeout";
/// It never had a session.
pub const NEVER_CONNECTED: &str = "NeverConnected";
/// Its spec says `enabled: false`.
pub const DISABLED: &str = "Disabled";
/// Its key is known.
pub const KEY_KNOWN: &str = "KeyKnown";
/// Its name is not that of its key, so it can never have a session.
pub const NAME_MISMATCH: &str = "NameMismatch";
/// The gateway that held its session does not renew its Lease.
pub const GATEWAY_LOST: &str = "GatewayLost";
/// The gateway that held its session was stopped.
pub const GATEWAY_STOPPED: &str = "GatewayStopped";
/// It has never been enabled and waits for someone to do so.
pub const PENDING_APPROVAL: &str = "PendingApproval";

// Application.
/// Its image is prepared, signed and stored.
pub const IMAGE_READY: &str = "ImageReady";
/// The ConfigMap does not exist.
pub const CONFIG_MAP_MISSING: &str = "ConfigMapMissing";
/// The ConfigMap has no such key in `binaryData`.
pub const KEY_MISSING: &str = "KeyMissing";
/// The address could not be fetched.
pub const FETCH_FAILED: &str = "FetchFailed";
/// The bytes have another SHA-256 than the spec says.
pub const DIGEST_MISMATCH: &str = "DigestMismatch";
/// The module or its image is larger than allowed.
pub const TOO_LARGE: &str = "TooLarge";
/// The bytes are no WebAssembly module.
pub const NOT_WEB_ASSEMBLY: &str = "NotWebAssembly";
/// The bytes begin as a WebAssembly module but are not a valid one.
pub const MODULE_INVALID: &str = "ModuleInvalid";
/// The module uses a feature that devices do not execute.
pub const FEATURE_UNSUPPORTED: &str = "FeatureUnsupported";
/// The module imports a function that does not exist.
pub const IMPORT_UNKNOWN: &str = "ImportUnknown";
/// The module imports a function of a capability that the Application does not list.
pub const CAPABILITY_MISSING: &str = "CapabilityMissing";
/// The module exports no function to enter.
pub const ENTRY_MISSING: &str = "EntryMissing";
/// The label selector cannot be evaluated.
pub const SELECTOR_INVALID: &str = "SelectorInvalid";
/// The Application lists a capability that does not exist.
pub const CAPABILITY_UNKNOWN: &str = "CapabilityUnknown";
/// An argument or environment variable cannot be given to a guest.
pub const CONFIG_INVALID: &str = "ConfigInvalid";
/// The module needs more than the Application's own limits allow.
pub const LIMIT_EXCEEDED: &str = "LimitExceeded";
/// This version cannot do what the spec asks.
pub const NOT_IMPLEMENTED: &str = "NotImplemented";
/// A stored image is gone and cannot be made again bit by bit.
pub const IMAGE_LOST: &str = "ImageLost";
/// The image store failed.
pub const STORE_FAILED: &str = "StoreFailed";
/// No device matches the selector.
pub const NO_MATCHING_DEVICES: &str = "NoMatchingDevices";
/// Devices are being brought to the target revision.
pub const PROGRESSING: &str = "Progressing";
/// It runs on every matching device.
pub const ALL_RUNNING: &str = "AllRunning";
/// It runs on some of the matching devices.
pub const SOME_RUNNING: &str = "SomeRunning";
/// It runs on none of the matching devices.
pub const NONE_RUNNING: &str = "NoneRunning";
/// It failed on a device.
pub const GUEST_FAILED: &str = "GuestFailed";
/// A device cannot or will not take it.
pub const REFUSED: &str = "Refused";
/// It does not fit on a board that the selector matches.
pub const DOES_NOT_FIT: &str = "DoesNotFit";
/// Its spec says `suspend: true`.
pub const SUSPENDED: &str = "Suspended";
/// It ended by itself, and its restart policy leaves it at that.
pub const FINISHED: &str = "Finished";

// Gateway.
/// A process serves.
pub const SERVING: &str = "Serving";
/// No process renews its Lease.
pub const NO_REPLICA: &str = "NoReplica";
/// The certificate ends soon.
pub const CERTIFICATE_EXPIRING: &str = "CertificateExpiring";
/// The certificate has ended.
pub const CERTIFICATE_EXPIRED: &str = "CertificateExpired";
/// No process said when its certificate ends.
pub const CERTIFICATE_UNKNOWN: &str = "CertificateUnknown";
/// The pairing window is open.
pub const WINDOW_OPEN: &str = "WindowOpen";
/// The pairing window is closed.
pub const WINDOW_CLOSED: &str = "WindowClosed";

// Enrollment.
/// It can be used.
pub const OPEN: &str = "Open";
/// Its time is over.
pub const EXPIRED: &str = "Expired";
/// It was used as often as it allows.
pub const USED_UP: &str = "UsedUp";

// VirtualDevice.
/// The emulator runs.
pub const EMULATOR_RUNNING: &str = "EmulatorRunning";
/// The spec says `power: Off`.
pub const POWERED_OFF: &str = "PoweredOff";
/// The emulator ended without being told to, and is started again after a pause.
pub const CRASHED: &str = "Crashed";
/// No such board.
pub const BOARD_UNKNOWN: &str = "BoardUnknown";
/// The board has no bus for the sensors that are wanted on it.
pub const BUS_MISSING: &str = "BusMissing";
/// What is wanted of the board's line makes no sense.
pub const LINE_INVALID: &str = "LineInvalid";
/// The board's firmware is not built.
pub const FIRMWARE_MISSING: &str = "FirmwareMissing";
/// No Gateway to connect to, or more than one and none chosen.
pub const GATEWAY_UNDECIDED: &str = "GatewayUndecided";
/// It waits for the device to enroll.
pub const ENROLLING: &str = "Enrolling";
