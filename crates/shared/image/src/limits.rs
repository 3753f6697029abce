//! Bounds on foreign input of this crate.

/// Longest encoded manifest: it travels in one message of at most 480 bytes, with its signature.
pub const MANIFEST_BYTES_MAX: usize = 360;

/// Longest message that is signed: the prefix and a manifest.
pub const SIGNED_MESSAGE_BYTES_MAX: usize = crate::SIGNED_PREFIX.len() + MANIFEST_BYTES_MAX;

/// Longest namespace or application name: the length of a DNS label, as Kubernetes bounds them.
pub const NAME_BYTES_MAX: usize = 63;

/// Most capabilities that one application is granted. Chosen: each capability there is, and a
/// few prefixes.
pub const GRANTS_MAX: usize = 16;

/// Longest list of grants. Chosen: what a manifest with usual names has left.
pub const GRANTS_BYTES_MAX: usize = 128;

/// Arguments and environment together, each string with its end: what a manifest has room for.
pub const CONFIG_BYTES_MAX: usize = 96;

/// Most bytes of keys and values that one application may be granted: with what the journal adds to
/// each value, about all that it has room for.
pub const STORAGE_BYTES_MAX: u16 = 768;

/// Highest number of an LED, a button or a serial line: one bit each in a word.
pub const LED_INDEX_MAX: u8 = 31;

/// Longest topic prefix: as long as the longest topic.
pub const TOPIC_BYTES_MAX: usize = wasmbed_abi::TOPIC_BYTES_MAX;

/// Most functions a body may define: a function record holds its number in 16 bits, and the last
/// number says "none".
pub const FUNCTIONS_MAX: u16 = u16::MAX - 1;

/// Most bytes of code: a function record and a return address hold an offset in 20 bits.
pub const CODE_BYTES_MAX: u32 = 1 << 20;
