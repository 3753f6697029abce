//! CRC-32 by nibbles: 64 bytes of table, two steps a byte. No hardware unit is used.

/// CRC-32 of every nibble.
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut value = nibble as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[nibble] = value;
        nibble += 1;
    }
    table
};

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
