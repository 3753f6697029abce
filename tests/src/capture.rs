//! Reads a capture of a virtual cable and puts its TCP streams together; one of a serial line is for
//! `serial_capture`.
//!
//! Written for these tests alone and on purpose without the code it is to check. Left out: IPv6,
//! IP fragments and sequence numbers that wrap; each is an error.
//!
//! # Source
//! draft-ietf-opsawg-pcap, "General File Structure"; RFC 791, section 3.1; RFC 9293, section 3.1.

use std::collections::BTreeMap;

use crate::serial_capture;

const PCAP_HEADER_BYTES: usize = 24;
const PCAP_RECORD_BYTES: usize = 16;
const PCAP_MAGIC_MICROSECONDS: u32 = 0xA1B2_C3D4;
const LINKTYPE_ETHERNET: u32 = 1;
/// For private use: here a serial line.
const LINKTYPE_USER0: u32 = 147;
const ETHERNET_BYTES: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const PROTOCOL_TCP: u8 = 6;
const FLAG_SYN: u8 = 0x02;
const FLAG_ACK: u8 = 0x10;

/// IPv4 address and TCP port.
pub type Endpoint = ([u8; 4], u16);

/// What one side of a connection sent, each byte once and in order.
#[derive(Debug, Default)]
pub struct Stream {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Ends of the pieces, and the number of the frame that completed each.
    pub(crate) arrivals: Vec<(usize, usize)>,
    /// Sequence number of the first byte.
    pub(crate) base: Option<u32>,
    /// Pieces that came before those in front of them.
    pub(crate) early: Vec<(usize, Vec<u8>)>,
}

/// One TCP connection, or one session of a serial line. The client is the side that opened it; a
/// serial line has no addresses.
#[derive(Debug, Default)]
pub struct Connection {
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// What the client sent.
    pub sent: Stream,
    /// What the client received.
    pub received: Stream,
}

/// Everything on the cable.
#[derive(Debug, Default)]
pub struct Capture {
    /// Frames that are neither ARP nor TCP over IPv4; on a serial line, bytes that are no frame.
    pub others: usize,
    /// ARP frames.
    pub arps: usize,
    /// Connections in the order of their opening.
    pub connections: Vec<Connection>,
}

/// One TCP segment.
struct Segment<'a> {
    source: Endpoint,
    target: Endpoint,
    sequence: u32,
    flags: u8,
    payload: &'a [u8],
}

impl Stream {
    /// Number of the frame with which the byte before `end` had arrived.
    pub fn frame_at(&self, end: usize) -> usize {
        let index = self.arrivals.partition_point(|(reached, _)| *reached < end);
        self.arrivals.get(index).map_or(usize::MAX, |(_, frame)| *frame)
    }

    /// Takes a piece that begins at `start`; what is known already is not looked at again.
    pub(crate) fn take(&mut self, start: usize, payload: &[u8], frame: usize) {
        self.early.push((start, payload.to_vec()));
        let before = self.bytes.len();
        while let Some(index) = self.early.iter().position(|(at, _)| *at <= self.bytes.len()) {
            let (at, piece) = self.early.swap_remove(index);
            self.bytes.extend_from_slice(piece.get(self.bytes.len() - at..).unwrap_or_default());
        }
        if self.bytes.len() > before {
            self.arrivals.push((self.bytes.len(), frame));
        }
    }

    /// Whether bytes are missing before some that came.
    pub fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }
}

/// Reads a capture file.
///
/// # Errors
/// A sentence that says what is not as expected.
pub fn parse(file: &[u8]) -> Result<Capture, String> {
    let mut capture = Capture::default();
    let mut places = BTreeMap::new();
    let (kind, frames) = frames(file)?;
    if kind == LINKTYPE_USER0 {
        return serial_capture::read(&frames);
    }
    for (number, frame) in frames.into_iter().enumerate() {
        match be16(frame, 12)? {
            ETHERTYPE_IPV4 => {
                let segment = segment(frame).map_err(|why| format!("frame {number}: {why}"))?;
                add(&mut capture, &mut places, &segment, number)
                    .map_err(|why| format!("frame {number}: {why}"))?;
            }
            ETHERTYPE_ARP => capture.arps += 1,
            _ => capture.others += 1,
        }
    }
    Ok(capture)
}

/// The kind of line that a capture file is of, and its frames.
fn frames(file: &[u8]) -> Result<(u32, Vec<&[u8]>), String> {
    let kind = le32(file, 20)?;
    let is_known = [LINKTYPE_ETHERNET, LINKTYPE_USER0].contains(&kind);
    if le32(file, 0)? != PCAP_MAGIC_MICROSECONDS || !is_known {
        return Err("not a classic capture of Ethernet, or of a serial line".into());
    }
    let mut frames = Vec::new();
    let mut rest = file.get(PCAP_HEADER_BYTES..).unwrap_or_default();
    while !rest.is_empty() {
        let (kept, original) = (le32(rest, 8)?, le32(rest, 12)?);
        if kept != original {
            return Err(format!("a frame of {original} bytes was cut to {kept}"));
        }
        let end = PCAP_RECORD_BYTES + kept as usize;
        frames.push(rest.get(PCAP_RECORD_BYTES..end).ok_or("the last record is not whole")?);
        rest = &rest[end..];
    }
    Ok((kind, frames))
}

fn segment(frame: &[u8]) -> Result<Segment<'_>, String> {
    let packet = frame.get(ETHERNET_BYTES..).ok_or("too short")?;
    let header_bytes = usize::from(byte(packet, 0)? & 0x0F) * 4;
    let packet = packet.get(..usize::from(be16(packet, 2)?)).ok_or("shorter than it says")?;
    let fragment = be16(packet, 6)? & 0x3FFF;
    if byte(packet, 0)? >> 4 != 4 || byte(packet, 9)? != PROTOCOL_TCP || fragment != 0 {
        return Err("not a whole TCP segment in IPv4".into());
    }
    let tcp = packet.get(header_bytes..).ok_or("no TCP header")?;
    let payload = tcp.get(usize::from(byte(tcp, 12)? >> 4) * 4..).ok_or("no TCP header")?;
    Ok(Segment {
        source: (array(packet, 12)?, be16(tcp, 0)?),
        target: (array(packet, 16)?, be16(tcp, 2)?),
        sequence: u32::from_be_bytes(array(tcp, 4)?),
        flags: byte(tcp, 13)?,
        payload,
    })
}

fn add(
    capture: &mut Capture,
    places: &mut BTreeMap<(Endpoint, Endpoint), usize>,
    segment: &Segment<'_>,
    frame: usize,
) -> Result<(), String> {
    let way = (segment.source, segment.target);
    if segment.flags & (FLAG_SYN | FLAG_ACK) == FLAG_SYN {
        let known = places.get(&way).map(|index| &capture.connections[*index]);
        if known.is_none_or(|known| known.sent.base != Some(segment.sequence.wrapping_add(1))) {
            places.insert(way, capture.connections.len());
            let (sent, received) = (Stream::default(), Stream::default());
            let (client, server) = way;
            capture.connections.push(Connection { client, server, sent, received });
        }
    }
    let back = (segment.target, segment.source);
    let stream = match (places.get(&way), places.get(&back)) {
        (Some(index), _) => &mut capture.connections[*index].sent,
        (None, Some(index)) => &mut capture.connections[*index].received,
        (None, None) => return Err(format!("a connection without an opening: {way:?}")),
    };
    if segment.flags & FLAG_SYN != 0 {
        stream.base = Some(segment.sequence.wrapping_add(1));
        return Ok(());
    }
    if segment.payload.is_empty() {
        return Ok(());
    }
    let base = stream.base.ok_or("data before the opening")?;
    // A probe of an idle connection repeats the byte before the next one, with any content.
    if segment.sequence == base.wrapping_sub(1) && segment.payload.len() == 1 {
        return Ok(());
    }
    let start = segment.sequence.checked_sub(base).ok_or("the sequence numbers wrapped")?;
    stream.take(start as usize, segment.payload, frame);
    Ok(())
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], String> {
    let found = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    found.ok_or_else(|| format!("{} bytes, wanted {}", bytes.len(), at + N))
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, String> {
    array::<1>(bytes, at).map(|[byte]| byte)
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, String> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn le32(bytes: &[u8], at: usize) -> Result<u32, String> {
    array(bytes, at).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests;
