//! Arguments and environment of an Application, in the form that a manifest signs.
//!
//! # Layout
//! Every string ends with a NUL byte: the arguments after the program's name, then `NAME=VALUE`.

use wasmbed_crds::application::Config;
use wasmbed_image::limits::CONFIG_BYTES_MAX;
use wasmbed_model::condition::reasons;

use crate::preparation::Refusal;

#[cfg(test)]
mod tests;

/// Strings of a guest, each with its NUL byte.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Strings {
    args: Vec<u8>,
    environ: Vec<u8>,
}

impl Strings {
    /// Reads what the Application says; nothing said is nothing given.
    ///
    /// # Errors
    /// [`Refusal`] names the string that cannot be given, or the bytes that are too many.
    pub fn of(config: Option<&Config>) -> Result<Self, Refusal> {
        let mut strings = Self::default();
        let Some(config) = config else { return Ok(strings) };
        for arg in &config.args {
            append(&mut strings.args, "an argument", &[arg])?;
        }
        for (name, value) in &config.env {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.bytes().all(is_plain) || name.bytes().next().is_none_or(|b| b.is_ascii_digit())
            {
                let message = format!(
                    "{name:?} is no name of an environment variable: letters, digits and _ are \
                     allowed, and no digit in front"
                );
                return Err(Refusal::lasting(reasons::CONFIG_INVALID, message));
            }
            append(&mut strings.environ, name, &[name, "=", value])?;
        }
        let bytes = strings.args.len() + strings.environ.len();
        if bytes > CONFIG_BYTES_MAX {
            let message = format!(
                "arguments and environment take {bytes} bytes, with a byte more for each; at most \
                 {CONFIG_BYTES_MAX} are allowed"
            );
            return Err(Refusal::lasting(reasons::TOO_LARGE, message));
        }
        Ok(strings)
    }

    /// The strings as a manifest holds them.
    pub fn signed(&self) -> wasmbed_image::Config<'_> {
        wasmbed_image::Config { args: &self.args, environ: &self.environ }
    }
}

fn append(target: &mut Vec<u8>, what: &str, parts: &[&str]) -> Result<(), Refusal> {
    if parts.iter().any(|part| part.contains('\0')) {
        let message = format!("{what} holds a NUL byte, which ends a string for the guest");
        return Err(Refusal::lasting(reasons::CONFIG_INVALID, message));
    }
    parts.iter().for_each(|part| target.extend(part.as_bytes()));
    target.push(0);
    Ok(())
}
