//! Identities that travel as byte strings of a fixed length.

use wasmbed_cbor::{Reader, Value, Writer};

macro_rules! byte_id {
    ($(#[$meta:meta])* $name:ident, $bytes:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub [u8; $bytes]);

        impl<'b> Value<'b> for $name {
            fn read(reader: &mut Reader<'b>) -> Option<Self> {
                Value::read(reader).map(Self)
            }

            fn write(&self, writer: &mut Writer<'_>) {
                self.0.write(writer);
            }
        }

        #[cfg(feature = "std")]
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    };
}

byte_id!(
    /// Which Application: the 16 bytes of the object's UID, so a re-created one is another.
    AppId, 16
);
byte_id!(
    /// SHA-256 of an image body, a module or a device tree blob.
    Digest, 32
);
byte_id!(
    /// Ed25519 public key, as in RFC 8032.
    PublicKey, 32
);
