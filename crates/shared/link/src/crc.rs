//! CRC-32 by nibbles: 64 bytes of table, two steps a byte. No hardware unit is used.

/// CRC-32 of every nibble: the polynomial below, four shifts.
const TABLE: [u32; 16] = [
    0x0000_0000,
    0x1DB7_1064,
    0x3B6E_20C8,
    0x26D9_30AC,
    0x76DC_4190,
    0x6B6B_51F4,
    0x4DB2_6158,
    0x5005_713C,
    0xEDB8_8320,
    0xF00F_9344,
    0xD6D6_A3E8,
    0xCB61_B38C,
    0x9B64_C2B0,
    0x86D3_D2D4,
    0xA00A_E278,
    0xBDBD_F21C,
];

/// A running CRC-32.
///
/// # Source
/// IEEE 802.3, "Frame Check Sequence": reflected polynomial 0xEDB88320, all ones before and after.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Crc(u32);

impl Crc {
    pub(crate) const fn new() -> Self {
        Self(!0)
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.0 ^= u32::from(byte);
        self.0 = (self.0 >> 4) ^ entry(self.0);
        self.0 = (self.0 >> 4) ^ entry(self.0);
    }

    pub(crate) fn extend(mut self, bytes: &[u8]) -> Self {
        bytes.iter().for_each(|byte| self.push(*byte));
        self
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }

    /// The half that closes a header, before the rest is known.
    pub(crate) const fn short(self) -> u16 {
        (!self.0 & 0xFFFF) as u16
    }
}

fn entry(value: u32) -> u32 {
    TABLE.get((value & 15) as usize).copied().unwrap_or(0)
}
