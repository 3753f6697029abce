//! A project's `app.yaml`: what it grants, and the two values in it that a build writes.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wasmbed_compiler::Options;

use crate::error::WorkshopError;
use crate::limits::MANIFEST_MODULE_BYTES_MAX;

#[cfg(test)]
mod tests;

/// Ends the lines of a manifest whose value a build writes.
const MARK: &str = "# set by `wasmbed build`";

/// Bounds of a guest beyond those of its device, as in an Application.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GuestLimits {
    /// WebAssembly operators between a start and the trap that ends the guest.
    pub fuel: Option<u64>,
    /// How often a circle of calls may go round; 0 leaves it to the stack.
    pub recursion_depth: u32,
    /// Bytes of stack that a circle of calls may fill.
    pub stack_bytes: Option<u32>,
    /// Bytes of memory that the guest may grow to.
    pub memory_bytes: Option<u32>,
}

impl GuestLimits {
    /// What the compiler is told.
    pub(crate) fn options(&self) -> Options {
        Options {
            recursion_depth: self.recursion_depth,
            stack_bytes_max: self.stack_bytes,
            memory_bytes_max: self.memory_bytes,
            ..Options::default()
        }
    }
}

/// What an Application's manifest says about running its guest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ApplicationFile {
    /// Name of the Application.
    pub name: String,
    /// What it grants.
    pub capabilities: Vec<String>,
    /// Its limits.
    pub limits: GuestLimits,
    /// Arguments of the guest.
    pub args: Vec<String>,
    /// Environment of the guest, as NAME=VALUE.
    pub env: Vec<String>,
}

impl ApplicationFile {
    /// Reads the first Application of a manifest.
    ///
    /// # Errors
    /// [`WorkshopError`] if the file holds none.
    pub fn read(path: &Path) -> Result<ApplicationFile, WorkshopError> {
        let text = std::fs::read_to_string(path).map_err(WorkshopError::io("read", path))?;
        let wrong = |reason: String| WorkshopError::File { path: path.to_owned(), reason };
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
            .map_err(|error| wrong(format!("not valid YAML: {error}")))?;
        let application = documents.iter().find(|document| document["kind"] == "Application");
        let Some(application) = application else {
            return Err(wrong("there is no Application in it".to_owned()));
        };
        let spec = &application["spec"];
        let (limits, config) = (&spec["limits"], &spec["config"]);
        let bytes = |value: &Value| value.as_u64().and_then(|bytes| u32::try_from(bytes).ok());
        let env = config["env"].as_object().into_iter().flatten();
        Ok(ApplicationFile {
            name: application["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            capabilities: strings(&spec["capabilities"]),
            limits: GuestLimits {
                fuel: limits["fuel"].as_u64(),
                recursion_depth: bytes(&limits["recursionDepth"]).unwrap_or(0),
                stack_bytes: bytes(&limits["stackBytes"]),
                memory_bytes: bytes(&limits["memoryBytes"]),
            },
            args: strings(&config["args"]),
            env: env
                .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
                .collect(),
        })
    }
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Writes the module and its digest into the marked lines of a manifest, and nowhere else. Answers
/// whether there were such lines.
///
/// # Errors
/// [`WorkshopError`] if the file cannot be read or written, or the module is too large for it.
pub fn stamp(path: &Path, module: &[u8]) -> Result<bool, WorkshopError> {
    let text = std::fs::read_to_string(path).map_err(WorkshopError::io("read", path))?;
    let Some(stamped) = stamped(&text, module) else { return Ok(false) };
    if module.len() > MANIFEST_MODULE_BYTES_MAX {
        return Err(WorkshopError::TooLargeForConfigMap {
            module_bytes: module.len(),
            module_bytes_max: MANIFEST_MODULE_BYTES_MAX,
        });
    }
    if stamped != text {
        std::fs::write(path, stamped).map_err(WorkshopError::io("write", path))?;
    }
    Ok(true)
}

/// The text with new values in its marked lines, or nothing if there are none.
fn stamped(text: &str, module: &[u8]) -> Option<String> {
    let digest = Sha256::digest(module);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut has_mark = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let key = line.strip_suffix(MARK).and_then(|line| line.split_once(':')).map(|(key, _)| key);
        let value = match key.map(str::trim) {
            Some("module.wasm") => Some(STANDARD.encode(module)),
            Some("digest") => Some(format!("sha256:{digest}")),
            _ => None,
        };
        match (key, value) {
            (Some(key), Some(value)) => {
                has_mark = true;
                lines.push(format!("{key}: {value} {MARK}"));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    has_mark.then(|| lines.join("\n") + "\n")
}
