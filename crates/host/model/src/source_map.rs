//! From an image's code back to the WebAssembly module: where each stretch of code came from.
//!
//! Written beside the image when it is prepared, read when a trap is reported. Devices know nothing
//! of it.
//!
//! # Layout
//! Four bytes `wsm1`, then for each entry two LEB128 numbers: how far its code offset is from the one
//! before it, and, as zigzag, how far its module offset is.

#[cfg(test)]
mod tests;

/// First bytes of every map: a name and a version.
const MAGIC: [u8; 4] = *b"wsm1";
/// Entries of a map: as many as the longest code an image may have has bytes.
const ENTRIES_MAX: usize = 1 << 20;
/// Bytes of a LEB128 number of 32 bits and a sign.
const NUMBER_BYTES_MAX: u32 = 5;

/// Where the code of one image came from. All offsets are in bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceMap {
    /// Offset in the image's code section, and in the module. Ascending by the first.
    entries: Vec<(u32, u32)>,
}

/// Why bytes are no source map.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SourceMapError {
    /// They do not begin like one, or are of another version.
    #[error("not a source map of this version")]
    Magic,
    /// A number is cut off, too long, or leads out of 32 bits.
    #[error("the source map is damaged at byte {0}")]
    Damaged(usize),
}

impl SourceMap {
    /// The map of a compiler's list: offset of code, offset in the module.
    pub fn new(mut entries: Vec<(u32, u32)>) -> Self {
        entries.sort_by_key(|(code, _)| *code);
        Self { entries }
    }

    /// Offset in the module of the operator that made the code at `code_offset`.
    pub fn module_offset(&self, code_offset: u32) -> Option<u32> {
        let behind = self.entries.partition_point(|(code, _)| *code <= code_offset);
        self.entries.get(behind.checked_sub(1)?).map(|(_, module)| *module)
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let (mut code_before, mut module_before) = (0, 0);
        for (code, module) in &self.entries {
            write_number(&mut bytes, u64::from(code - code_before));
            let step = i64::from(*module) - i64::from(module_before);
            // Zigzag: a small step takes few bytes whatever its sign.
            write_number(&mut bytes, ((step << 1) ^ (step >> 63)) as u64);
            (code_before, module_before) = (*code, *module);
        }
        bytes
    }

    /// Reads what [`SourceMap::encode`] wrote.
    ///
    /// # Errors
    /// [`SourceMapError`] says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SourceMapError> {
        let mut rest = bytes.strip_prefix(&MAGIC).ok_or(SourceMapError::Magic)?;
        let mut entries = Vec::new();
        let (mut code, mut module) = (0_u32, 0_u32);
        while !rest.is_empty() {
            let damaged = SourceMapError::Damaged(bytes.len() - rest.len());
            let mut entry = || {
                let code_step = u32::try_from(read_number(&mut rest)?).ok()?;
                let zigzag = read_number(&mut rest)?;
                let step = ((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64);
                let next = u32::try_from(i64::from(module) + step).ok()?;
                Some((code.checked_add(code_step)?, next))
            };
            (code, module) = entry().ok_or(damaged)?;
            if entries.len() == ENTRIES_MAX {
                return Err(damaged);
            }
            entries.push((code, module));
        }
        Ok(Self { entries })
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for index in 0..NUMBER_BYTES_MAX {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
