//! The one table of messages: tag, direction, type.

use wasmbed_cbor::{Reader, Value, Writer};

use crate::device::{
    CommandResult, Enroll, Heartbeat, Hello, InstallRequest, Log, Message, StateReport, Telemetry,
};
use crate::gateway::{
    AppCommand, Command, Deliver, DesiredState, EnrollRequired, Install, InstallChunk, Refused,
    Welcome,
};
use crate::limits;

/// Why a body was refused. The peer is at fault in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeError {
    /// The bytes are not the CBOR this message requires.
    Malformed,
    /// Bytes follow the message.
    TrailingBytes,
    /// A message of this tag is not known; it may be from a newer minor version.
    UnknownTag(u8),
    /// A text or byte string is longer than its bound in [`limits`].
    FieldOutOfBounds,
}

/// Why a message was not written. The caller is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EncodeError {
    /// The buffer is smaller than the message.
    BufferTooSmall,
}

/// Decodes one value that must fill `bytes`.
pub(crate) fn decode_exact<'b, T: Value<'b>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::read(&mut reader).ok_or(DecodeError::Malformed)?;
    if reader.rest().is_empty() { Ok(value) } else { Err(DecodeError::TrailingBytes) }
}

/// Encodes one value to the head of `buffer`.
pub(crate) fn encode_into<'b, 'o>(
    value: &impl Value<'b>,
    buffer: &'o mut [u8],
) -> Result<&'o [u8], EncodeError> {
    let mut writer = Writer::new(buffer);
    value.write(&mut writer);
    writer.finish().ok_or(EncodeError::BufferTooSmall)
}

macro_rules! messages {
    ($(#[$meta:meta])* $name:ident<$life:lifetime> {
        $($(#[$doc:meta])* $tag:literal $variant:ident($type:ty),)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum $name<$life> {
            $($(#[$doc])* $variant($type),)*
        }

        impl<$life> $name<$life> {
            /// Every tag of this direction.
            pub const TAGS: &'static [u8] = &[$($tag,)*];

            /// The tag on the wire.
            pub const fn tag(&self) -> u8 {
                match self { $(Self::$variant(_) => $tag,)* }
            }

            /// The name of the message as in docs/protocol.md.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($variant),)* }
            }

            /// Reads one frame body.
            ///
            /// # Errors
            /// [`DecodeError`] says what is wrong; nothing of the message is then used.
            pub fn decode(body: &$life [u8]) -> Result<Self, DecodeError> {
                let mut reader = Reader::new(body);
                if reader.array() != Some(2) {
                    return Err(DecodeError::Malformed);
                }
                let message = match u8::read(&mut reader).ok_or(DecodeError::Malformed)? {
                    $($tag => Value::read(&mut reader).map(Self::$variant),)*
                    other => return Err(DecodeError::UnknownTag(other)),
                };
                let message = message.ok_or(DecodeError::Malformed)?;
                if !reader.rest().is_empty() {
                    return Err(DecodeError::TrailingBytes);
                }
                if message.is_within_bounds() { Ok(message) } else { Err(DecodeError::FieldOutOfBounds) }
            }

            /// Writes the body to the head of `buffer` and returns the part that was used.
            ///
            /// # Errors
            /// [`EncodeError::BufferTooSmall`] if it does not fit.
            pub fn encode<'o>(&self, buffer: &'o mut [u8]) -> Result<&'o [u8], EncodeError> {
                let mut writer = Writer::new(buffer);
                writer.array(2);
                self.tag().write(&mut writer);
                match self {
                    $(Self::$variant(message) => message.write(&mut writer),)*
                }
                writer.finish().ok_or(EncodeError::BufferTooSmall)
            }
        }
    };
}

messages! {
    /// Messages from a device to its gateway.
    DeviceMessage<'b> {
        /// What this device is.
        0x01 Hello(Hello<'b>),
        /// Asks to become a Device.
        0x02 Enroll(Enroll<'b>),
        /// It lives, and what it counted.
        0x03 Heartbeat(Heartbeat<'b>),
        /// The state of one guest.
        0x04 StateReport(StateReport),
        /// One line a guest wrote.
        0x05 Log(Log<'b>),
        /// One sample a guest published.
        0x06 Telemetry(Telemetry<'b>),
        /// What became of a command.
        0x07 CommandResult(CommandResult),
        /// Asks for a manifest or image bytes.
        0x08 InstallRequest(InstallRequest),
        /// What a guest sent.
        0x09 Message(Message<'b>),
    }
}

messages! {
    /// Messages from a gateway to a device.
    GatewayMessage<'b> {
        /// The session stands.
        0x81 Welcome(Welcome<'b>),
        /// The session ends before it began.
        0x82 Refused(Refused),
        /// Only Enroll may follow.
        0x83 EnrollRequired(EnrollRequired),
        /// Everything the device shall hold.
        0x84 DesiredState(DesiredState<'b>),
        /// A signed manifest.
        0x85 Install(Install<'b>),
        /// A piece of an image.
        0x86 InstallChunk(InstallChunk<'b>),
        /// Start a guest.
        0x87 Start(AppCommand),
        /// Stop a guest.
        0x88 Stop(AppCommand),
        /// Stop and start a guest.
        0x89 Restart(AppCommand),
        /// Stop a guest and forget its image.
        0x8a Remove(AppCommand),
        /// Answer with a CommandResult.
        0x8b Ping(Command),
        /// Answer with a CommandResult, then start anew.
        0x8c Reboot(Command),
        /// Hand a message to the guests that receive its topic.
        0x8d Deliver(Deliver<'b>),
    }
}

impl DeviceMessage<'_> {
    fn is_within_bounds(&self) -> bool {
        match self {
            Self::Hello(hello) => [hello.board, hello.firmware, hello.namespace]
                .iter()
                .all(|text| text.len() <= limits::NAME_BYTES_MAX),
            Self::Enroll(enroll) => enroll.token.is_none_or(|t| t.len() <= limits::TOKEN_BYTES_MAX),
            Self::Log(log) => log.text.len() <= limits::LOG_BYTES_MAX,
            Self::Telemetry(sample) => sample.topic.len() <= limits::TOPIC_BYTES_MAX,
            Self::Message(message) => is_message(message.topic, message.payload),
            Self::Heartbeat(_)
            | Self::StateReport(_)
            | Self::CommandResult(_)
            | Self::InstallRequest(_) => true,
        }
    }
}

impl GatewayMessage<'_> {
    fn is_within_bounds(&self) -> bool {
        match self {
            Self::Welcome(welcome) => welcome.device.len() <= limits::NAME_BYTES_MAX,
            Self::Install(install) => {
                install.manifest.len() <= limits::MANIFEST_BYTES_MAX
                    && install.signature.len() == 64
            }
            Self::InstallChunk(chunk) => chunk.bytes.len() <= limits::CHUNK_BYTES_MAX,
            Self::Deliver(deliver) => is_message(deliver.topic, deliver.payload),
            _ => true,
        }
    }
}

fn is_message(topic: &str, payload: &[u8]) -> bool {
    topic.len() <= limits::TOPIC_BYTES_MAX && payload.len() <= limits::PAYLOAD_BYTES_MAX
}
