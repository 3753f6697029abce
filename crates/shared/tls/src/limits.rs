//! Sizes of buffers, records and messages, and why each is what it is.

/// Random bytes that one session consumes: 32 for the ClientHello, 32 for the X25519 key.
pub const ENTROPY_BYTES: usize = 64;

/// Bytes of the record header.
///
/// # Source
/// RFC 8446, section 5.1.
pub const HEADER_BYTES: usize = 5;

/// Bytes of a record on the wire, header included.
///
/// Chosen: the record class `-512` of the ALPN. Small enough for 8 KB of RAM, large enough for the
/// server's whole flight (435 bytes with a leaf of 266).
pub const RECORD_BYTES_MAX: usize = 512;

/// Bytes of the client's one buffer: a record, and an alert behind it, for which there is always room.
///
/// What arrives and what is to be sent take turns in it: one record of either fills it. While nothing
/// is to be sent during a handshake, all of it takes handshake messages: any split of messages over
/// records is put together as long as unprocessed messages and the next record fit.
pub const BUFFER_BYTES: usize = RECORD_BYTES_MAX + ALERT_RECORD_BYTES;

/// Bytes of one handshake message, its header included.
///
/// Chosen: what fits in a record besides its header, type and tag, so a server that does not split
/// needs no more.
pub const MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX - HEADER_BYTES;

/// Bytes that encryption adds to a record's content: its type and the tag.
pub const SEAL_BYTES: usize = 1 + 16;

/// Bytes of one encrypted alert, for which room is kept behind every other record to be sent.
pub const ALERT_RECORD_BYTES: usize = HEADER_BYTES + 2 + SEAL_BYTES;

/// Bytes that one record to be sent holds at most.
pub const WRITE_BYTES_MAX: usize = RECORD_BYTES_MAX - HEADER_BYTES - SEAL_BYTES;

/// ChangeCipherSpec records that a handshake passes over.
///
/// Chosen: a server in compatibility mode sends one after its first flight; a second one is
/// conceivable after a HelloRetryRequest, more is noise.
pub const CHANGE_CIPHER_SPECS_MAX: u8 = 2;

/// Bytes of a NewSessionTicket, which is skipped as it arrives.
///
/// Chosen: four times what OpenSSL sends; the gateway sends none.
pub const TICKET_BYTES_MAX: u32 = 4096;

/// Pinned authorities: the current one and the next, so that the authority can be replaced.
pub const PINS_MAX: usize = 2;

/// Bytes of a certificate's serial number.
///
/// # Source
/// RFC 5280, section 4.1.2.2: at most 20 octets.
pub const SERIAL_BYTES_MAX: usize = 20;
