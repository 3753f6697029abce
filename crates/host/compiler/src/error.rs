//! Why a module was not prepared, and why an image does not fit.
use wasmbed_abi::Capability;

/// Why a module was not prepared. Its author is at fault, or what it needs is not there yet.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum PrepareError {
    /// It is not WebAssembly, or not valid.
    #[error("not a valid WebAssembly module: {reason} (at byte {offset:#x})")]
    Invalid { reason: String, offset: u64 },
    /// It is longer than any board could hold.
    #[error("the module has {module_bytes} bytes, at most {module_bytes_max} are looked at")]
    TooLarge { module_bytes: usize, module_bytes_max: usize },
    /// It uses a part of WebAssembly that is not there.
    #[error("{feature} ({detail}) is not implemented")]
    NotImplemented { feature: &'static str, detail: String },
    /// It imports a function that no device has.
    #[error("no device has the import {module}.{name}")]
    UnknownImport { module: String, name: String },
    /// It imports a function with another type than the device's.
    #[error("the import {module}.{name} has another type: see docs/abi.md")]
    ImportType { module: String, name: String },
    /// It imports a function whose capability was not granted.
    #[error("the import {name} needs the capability {capability}, which is not granted")]
    CapabilityMissing { name: &'static str, capability: &'static str },
    /// It exports no function to enter.
    #[error("the module exports no function `run` or `_start` without parameters and results")]
    NoEntry,
    /// A data or element segment lies outside its memory or table.
    #[error("a {kind} segment ends at {end}, behind the {available} that exist")]
    SegmentOutOfBounds { kind: &'static str, end: u64, available: u64 },
    /// A number in it is larger than the image format can say.
    #[error("{what}: {count}, at most {count_max}")]
    FormatLimit { what: &'static str, count: u64, count_max: u64 },
}

/// What of an image is larger than a device has room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("needs {needed} bytes of {what}, {available} are available")]
pub struct DoesNotFit {
    /// What is too small.
    pub what: &'static str,
    /// Bytes that the image needs.
    pub needed: u64,
    /// Bytes that there are.
    pub available: u64,
}

impl PrepareError {
    /// The error for a count above what the format can say.
    pub(crate) fn limit(what: &'static str, count: u64, count_max: u64) -> Self {
        PrepareError::FormatLimit { what, count, count_max }
    }

    pub(crate) fn not_implemented(feature: &'static str, detail: impl Into<String>) -> Self {
        PrepareError::NotImplemented { feature, detail: detail.into() }
    }

    pub(crate) fn capability(name: &'static str, capability: Capability) -> Self {
        PrepareError::CapabilityMissing { name, capability: capability.name() }
    }
}

impl From<wasmparser::BinaryReaderError> for PrepareError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        PrepareError::Invalid { reason: error.message().to_owned(), offset: error.offset() }
    }
}
