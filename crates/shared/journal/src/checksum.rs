//! The two checksums of the journal, small rather than fast: flash matters more here than time.

/// Half-byte table of the reflected polynomial 0xEDB88320.
///
/// # Source
/// ITU-T V.42, "Frame check sequence", 32 bits; the table is the remainder of each half byte.
const CRC32_NIBBLE: [u32; 16] = crc32_table();

const fn crc32_table() -> [u32; 16] {
    let mut table = [0; 16];
    let mut index = 0;
    while index < 16 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// CRC-32 of `bytes` after a part whose result was `before`; start with 0.
pub fn crc32(before: u32, bytes: &[u8]) -> u32 {
    let mut crc = !before;
    for byte in bytes {
        crc ^= u32::from(*byte);
        crc = CRC32_NIBBLE[(crc & 15) as usize] ^ (crc >> 4);
        crc = CRC32_NIBBLE[(crc & 15) as usize] ^ (crc >> 4);
    }
    !crc
}

/// CRC-16 of `bytes`, polynomial 0x1021, start 0xFFFF.
///
/// # Source
/// ITU-T V.41, "Code-independent error-control system", with all ones as the start value.
pub fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc
}

#[cfg(test)]
mod tests;
