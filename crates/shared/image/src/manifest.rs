//! The manifest: what the image signer vouches for, and the exact bytes it signs.
//!
//! Leaves out keys and signatures. The encoding is one CBOR array in a fixed order with shortest
//! integers, so the same manifest always has the same bytes.
use crate::grants::{GrantError, Grants};
use crate::limits::{
    CONFIG_BYTES_MAX, MANIFEST_BYTES_MAX, NAME_BYTES_MAX, SIGNED_MESSAGE_BYTES_MAX,
};
use wasmbed_cbor::{Reader, Value, Writer};

/// Separates the signatures over manifests from every other use of the signer's key.
pub const SIGNED_PREFIX: &[u8] = b"wasmbed image manifest v1\0";

/// First element of the encoded array; another number is another layout.
const LAYOUT: u8 = 2;

/// Elements of the encoded array.
const ELEMENTS: usize = 15;

/// What is signed about an image: who it is for, which bytes it is, and what it may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Manifest<'a> {
    /// Namespace of the Application; a device runs images of its own namespace only.
    pub namespace: &'a str,
    /// Name of the Application, for people.
    pub app_name: &'a str,
    /// UID of the Application object.
    pub app_uid: [u8; 16],
    /// Revision; a device refuses a lower one for the same `app_uid`.
    pub generation: u64,
    /// SHA-256 over the whole image body.
    pub image_digest: [u8; 32],
    /// Length of the image body.
    pub image_bytes: u32,
    /// What the guest may do.
    pub grants: Grants<'a>,
    /// What the guest is started with.
    pub config: Config<'a>,
    /// What the guest may use.
    pub limits: Limits,
    /// What happens when the guest ends.
    pub restart_policy: RestartPolicy,
    /// Which guest a full device keeps: the higher one.
    pub priority: i16,
}

/// Arguments and environment of a guest, each string ended by a zero byte.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Config<'a> {
    /// Arguments behind the name of the application, which is the first one of every guest.
    pub args: &'a [u8],
    /// The environment, as `NAME=VALUE`.
    pub environ: &'a [u8],
}

impl Config<'_> {
    /// Whether both are within their bound and end as they must.
    fn is_sound(&self) -> bool {
        let is_ended = |text: &[u8]| text.last().is_none_or(|last| *last == 0);
        self.args.len() + self.environ.len() <= CONFIG_BYTES_MAX
            && is_ended(self.args)
            && is_ended(self.environ)
    }
}

/// Upper bounds on what a guest uses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Linear memory, in bytes.
    pub memory_bytes: u32,
    /// Frames and call stack, in bytes.
    pub stack_bytes: u32,
    /// Fuel of one run, from start to end, in WebAssembly operators; unlimited if absent.
    pub fuel: Option<u64>,
}

/// What happens when a guest ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum RestartPolicy {
    /// It is started again, whatever ended it.
    #[default]
    Always = 0,
    /// It is started again if it trapped, ran out of fuel, or exited with a code other than 0.
    OnFailure = 1,
    /// It stays ended.
    Never = 2,
}

/// Why a manifest was not encoded. The caller is at fault in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum EncodeError {
    /// Namespace or application name is longer than its bound.
    NameTooLong { name_bytes: usize, name_bytes_max: usize },
    /// Arguments and environment are longer than [`CONFIG_BYTES_MAX`], or do not end as they must.
    Config { config_bytes: usize },
    /// The target has no room for the whole manifest.
    TargetTooSmall { target_bytes: usize },
}

/// Why a manifest was refused. The peer is at fault in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum DecodeError {
    /// It is longer than any manifest.
    TooLong { manifest_bytes: usize },
    /// It is not the expected sequence of CBOR values.
    Malformed,
    /// Another layout, made by another version.
    Layout { layout: u8 },
    /// Namespace or application name is longer than its bound.
    NameTooLong { name_bytes: usize, name_bytes_max: usize },
    /// The list of grants is unsound.
    Grants(GrantError),
    /// A restart policy that has no meaning here.
    Unknown { value: u32 },
    /// Something follows the manifest.
    Trailing { trailing_bytes: usize },
}

impl<'a> Manifest<'a> {
    /// Writes the manifest to the front of `target` and tells how many bytes it took.
    ///
    /// # Errors
    /// [`EncodeError`]. Names, grants and configuration can each be within their bound and together
    /// be too long for [`MANIFEST_BYTES_MAX`]: that is [`EncodeError::TargetTooSmall`].
    pub fn encode(&self, target: &mut [u8]) -> Result<usize, EncodeError> {
        let name_bytes_max = NAME_BYTES_MAX;
        for name in [self.namespace, self.app_name] {
            if name.len() > name_bytes_max {
                return Err(EncodeError::NameTooLong { name_bytes: name.len(), name_bytes_max });
            }
        }
        if !self.config.is_sound() {
            let config_bytes = self.config.args.len() + self.config.environ.len();
            return Err(EncodeError::Config { config_bytes });
        }
        let target_bytes = target.len();
        let mut writer = Writer::new(target);
        self.write_values(&mut writer);
        writer.finish().map(<[u8]>::len).ok_or(EncodeError::TargetTooSmall { target_bytes })
    }

    fn write_values(&self, writer: &mut Writer<'_>) {
        writer.array(ELEMENTS);
        LAYOUT.write(writer);
        self.namespace.write(writer);
        self.app_name.write(writer);
        self.app_uid.write(writer);
        self.generation.write(writer);
        self.image_digest.write(writer);
        self.image_bytes.write(writer);
        self.grants.bytes().write(writer);
        self.config.args.write(writer);
        self.config.environ.write(writer);
        self.limits.memory_bytes.write(writer);
        self.limits.stack_bytes.write(writer);
        self.limits.fuel.write(writer);
        (self.restart_policy as u8).write(writer);
        i32::from(self.priority).write(writer);
    }

    /// Reads a manifest that fills `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] for everything that [`Manifest::encode`] does not write.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(DecodeError::TooLong { manifest_bytes: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let manifest = Self::read_values(&mut reader)?;
        match reader.rest().len() {
            0 => Ok(manifest),
            trailing_bytes => Err(DecodeError::Trailing { trailing_bytes }),
        }
    }

    fn read_values(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if reader.array() != Some(ELEMENTS) {
            return Err(DecodeError::Malformed);
        }
        match value(reader)? {
            LAYOUT => {}
            layout => return Err(DecodeError::Layout { layout }),
        }
        let manifest = Manifest {
            namespace: name(reader)?,
            app_name: name(reader)?,
            app_uid: value(reader)?,
            generation: value(reader)?,
            image_digest: value(reader)?,
            image_bytes: value(reader)?,
            grants: Grants::decode(value(reader)?).map_err(DecodeError::Grants)?,
            config: Config { args: value(reader)?, environ: value(reader)? },
            limits: Limits {
                memory_bytes: value(reader)?,
                stack_bytes: value(reader)?,
                fuel: value(reader)?,
            },
            restart_policy: match value(reader)? {
                0_u8 => RestartPolicy::Always,
                1 => RestartPolicy::OnFailure,
                2 => RestartPolicy::Never,
                value => return Err(DecodeError::Unknown { value: value.into() }),
            },
            priority: value::<i32>(reader)?.try_into().map_err(|_| DecodeError::Malformed)?,
        };
        if manifest.config.is_sound() { Ok(manifest) } else { Err(DecodeError::Malformed) }
    }
}

fn value<'a, T: Value<'a>>(reader: &mut Reader<'a>) -> Result<T, DecodeError> {
    T::read(reader).ok_or(DecodeError::Malformed)
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let text: &str = value(reader)?;
    if text.len() > NAME_BYTES_MAX {
        let (name_bytes, name_bytes_max) = (text.len(), NAME_BYTES_MAX);
        return Err(DecodeError::NameTooLong { name_bytes, name_bytes_max });
    }
    Ok(text)
}

/// The bytes that are signed for an encoded manifest, written to the front of `target`.
///
/// # Errors
/// [`EncodeError::TargetTooSmall`] if `manifest` is longer than any manifest.
pub fn signed_message<'t>(
    manifest: &[u8],
    target: &'t mut [u8; SIGNED_MESSAGE_BYTES_MAX],
) -> Result<&'t [u8], EncodeError> {
    let message_bytes = SIGNED_PREFIX.len() + manifest.len();
    let message = target
        .get_mut(..message_bytes)
        .ok_or(EncodeError::TargetTooSmall { target_bytes: SIGNED_MESSAGE_BYTES_MAX })?;
    let (prefix, rest) = message
        .split_at_mut_checked(SIGNED_PREFIX.len())
        .ok_or(EncodeError::TargetTooSmall { target_bytes: SIGNED_MESSAGE_BYTES_MAX })?;
    prefix.copy_from_slice(SIGNED_PREFIX);
    rest.copy_from_slice(manifest);
    Ok(message)
}

#[cfg(test)]
mod tests;
