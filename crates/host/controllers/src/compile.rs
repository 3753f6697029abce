//! The compiler, asked in the words of an Application and answering in those of a condition.

use wasmbed_compiler::{Needs, Options, PrepareError};
use wasmbed_crds::application::Limits;
use wasmbed_image::{Capability, Grants};
use wasmbed_model::condition::reasons;

use crate::preparation::Refusal;

/// An image, and what it needs beside itself.
pub struct Compiled {
    /// The image.
    pub image: Vec<u8>,
    /// Number of its format.
    pub format: u8,
    /// Bounds that are signed.
    pub limits: wasmbed_image::Limits,
    /// Bytes of RAM beside the image.
    pub working_bytes: u64,
    /// Bytes of RAM for what was granted.
    pub grant_bytes: u64,
    /// What its imports need of the firmware, as in `model::host_interface`.
    pub host_calls: u32,
    /// Bytes of code.
    pub code_bytes: u64,
    /// Bytes of linear memory.
    pub memory_bytes: u64,
    /// Bytes of stack.
    pub stack_bytes: u64,
    /// Offsets of code, and of the operators in the module that it came from.
    pub source: Vec<(u32, u32)>,
}

/// Compiles a module within the limits and capabilities of its Application.
///
/// # Errors
/// [`Refusal`], never transient: the compiler is a function of its arguments.
pub fn compile(
    module: &[u8],
    limits: Option<Limits>,
    granted: Grants<'_>,
) -> Result<Compiled, Refusal> {
    let limits = limits.unwrap_or_default();
    let options = Options {
        recursion_depth: limits.recursion_depth.map_or(0, clamp),
        memory_bytes_max: limits.memory_bytes.map(clamp),
        stack_bytes_max: limits.stack_bytes.map(clamp),
        table_elements_max: limits.table_elements.map(clamp),
        granted: Some(Capability::ALL.into_iter().filter(|one| granted.has(*one)).collect()),
        ..Options::default()
    };
    let prepared = wasmbed_compiler::prepare(module, &options).map_err(refuse)?;
    let needs = &prepared.needs;
    let signed = signed_limits(limits, needs)?;
    Ok(Compiled {
        format: wasmbed_image::FORMAT_LOWERED_V1,
        limits: signed,
        working_bytes: needs.arena_bytes.into(),
        grant_bytes: granted.arena_bytes().into(),
        host_calls: host_calls(needs),
        code_bytes: needs.code_bytes.into(),
        memory_bytes: needs.memory_bytes_max.into(),
        stack_bytes: needs.stack_bytes.into(),
        image: prepared.image,
        source: prepared.source,
    })
}

fn host_calls(needs: &Needs) -> u32 {
    let is_wasi = |name: &&'static str| {
        let mut imports = wasmbed_abi::IMPORTS.iter();
        imports.any(|import| import.module == wasmbed_abi::WASI_MODULE && import.name == *name)
    };
    let wasi = if needs.imports.iter().any(is_wasi) { wasmbed_wire::HOST_WASI } else { 0 };
    needs.capabilities.iter().fold(wasi, |bits, capability| bits | capability.bit())
}

/// The limits of the Application where it has some, and else exactly what the module needs.
fn signed_limits(limits: Limits, needs: &Needs) -> Result<wasmbed_image::Limits, Refusal> {
    let bound = |what: &str, limit: Option<i64>, needed: u32| match limit.map(clamp) {
        Some(limit) if limit < needed => {
            let message =
                format!("the module needs {needed} bytes of {what}, the limit is {limit}");
            Err(Refusal::lasting(reasons::LIMIT_EXCEEDED, message))
        }
        Some(limit) => Ok(limit),
        None => Ok(needed),
    };
    Ok(wasmbed_image::Limits {
        memory_bytes: bound("memory", limits.memory_bytes, needs.memory_bytes_max)?,
        stack_bytes: bound("stack", limits.stack_bytes, needs.stack_bytes)?,
        fuel: limits.fuel.map(|fuel| fuel.max(0) as u64),
    })
}

fn clamp(bytes: i64) -> u32 {
    bytes.clamp(0, u32::MAX.into()) as u32
}

fn refuse(error: PrepareError) -> Refusal {
    let reason = match &error {
        PrepareError::Invalid { .. } | PrepareError::SegmentOutOfBounds { .. } => {
            reasons::MODULE_INVALID
        }
        PrepareError::TooLarge { .. } | PrepareError::FormatLimit { .. } => reasons::TOO_LARGE,
        PrepareError::NotImplemented { .. } => reasons::FEATURE_UNSUPPORTED,
        PrepareError::UnknownImport { .. } | PrepareError::ImportType { .. } => {
            reasons::IMPORT_UNKNOWN
        }
        PrepareError::CapabilityMissing { .. } => reasons::CAPABILITY_MISSING,
        PrepareError::NoEntry => reasons::ENTRY_MISSING,
    };
    let message = match error {
        PrepareError::CapabilityMissing { capability, .. } => {
            format!("{error}: add to spec.capabilities {}", grant_text(capability))
        }
        error => error.to_string(),
    };
    Refusal::lasting(reason, message)
}

/// How a capability is granted, for less than everything where it can be.
fn grant_text(capability: &str) -> String {
    match capability {
        "telemetry" | "send" | "receive" => {
            format!("{capability}:PREFIX (topics that begin so), or {capability} (any topic)")
        }
        "storage" => "storage:BYTES (what it may keep)".to_owned(),
        "led" | "button" | "uart" => {
            format!("{capability}:INDEX (that one), or {capability} (each that the board has)")
        }
        "i2c" => "i2c:0xADDRESS (that one), or i2c (any address)".to_owned(),
        _ => capability.to_owned(),
    }
}
