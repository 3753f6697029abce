//! What a device must know before it may talk.

use wasmbed_cbor::records;

use crate::ids::PublicKey;
use crate::limits;
use crate::message::{DecodeError, EncodeError};
use crate::seq::Seq;

records! {
    /// Addresses of the device's own Ethernet station, where no DHCP server gives them.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Station {
        /// IPv4 address, most significant byte first.
        0 => address: u32,
        /// Bits of the network part.
        1 => prefix: u8,
        /// IPv4 address of the router; absent if the gateway is on the same network.
        2 => router: Option<u32>,
    }

    /// The provisioning record, kept in the journal. Nothing of it is compiled in.
    ///
    /// # Source
    /// docs/protocol.md, "Provisioning record".
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Provisioning<'b> {
        /// Keys of the fleet CA; a server leaf must be signed by one of them.
        0 => ca_pins: Seq<'b, PublicKey, { limits::PINS_MAX }>,
        /// Keys of the image signer; a manifest must be signed by one of them.
        1 => signer_pins: Seq<'b, PublicKey, { limits::PINS_MAX }>,
        /// Name the gateway's leaf must carry.
        2 => gateway_name: &'b str,
        /// IPv4 address of the gateway, most significant byte first; unused on a serial line.
        3 => gateway_address: u32,
        /// TCP port of the gateway; unused on a serial line.
        4 => gateway_port: u16,
        /// Namespace (tenant) the device belongs to.
        5 => namespace: &'b str,
        /// Enrolment token; absent relies on a pairing window.
        6 => token: Option<&'b str>,
        /// The device's own station on a network without DHCP.
        7 => station: Option<Station>,
    }
}

impl<'b> Provisioning<'b> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are not one record, or a text is longer than its bound.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, DecodeError> {
        let record: Self = crate::message::decode_exact(bytes)?;
        let token_bytes = record.token.map_or(0, str::len);
        if record.gateway_name.len() > limits::NAME_BYTES_MAX
            || record.namespace.len() > limits::NAME_BYTES_MAX
            || token_bytes > limits::TOKEN_BYTES_MAX
            || record.ca_pins.is_empty()
            || record.signer_pins.is_empty()
        {
            return Err(DecodeError::FieldOutOfBounds);
        }
        Ok(record)
    }

    /// Writes the record into `buffer` and returns the part that was used.
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`] if it does not fit.
    pub fn encode<'o>(&self, buffer: &'o mut [u8]) -> Result<&'o [u8], EncodeError> {
        crate::message::encode_into(self, buffer)
    }
}
