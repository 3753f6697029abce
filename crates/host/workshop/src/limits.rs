//! Bounds on foreign input of this crate.

/// Longest name of a project: it becomes the name of an Application, which is signed as a DNS label.
pub const NAME_BYTES_MAX: usize = wasmbed_image::limits::NAME_BYTES_MAX;

/// Longest module that is written into a manifest: 1 MiB of object, less base64 and the rest.
pub const MANIFEST_MODULE_BYTES_MAX: usize = 700 * 1024;

/// Longest file that is read as a module or an image: the compiler looks at no more.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Functions whose names are kept for messages and listings: as many as an image may define, with
/// as many imports.
pub const NAMED_FUNCTIONS_MAX: usize = 2 << 16;
