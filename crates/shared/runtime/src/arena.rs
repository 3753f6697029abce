//! Which part of the arena belongs to which guest: first fit over a handful of ranges. Holds no
//! byte itself.

/// Alignment of every range, and of the parts inside one: what the engine asks for at most.
pub const ALIGN: u32 = 8;

/// A part of the arena.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Range {
    /// First byte.
    pub start: u32,
    /// Length.
    pub bytes: u32,
}

impl Range {
    /// First byte behind the range.
    pub const fn end(&self) -> u32 {
        self.start + self.bytes
    }

    /// The bytes of this range.
    pub fn of<'a>(&self, arena: &'a mut [u8]) -> &'a mut [u8] {
        arena.get_mut(self.start as usize..self.end() as usize).unwrap_or_default()
    }
}

/// The next multiple of [`ALIGN`]; `None` beyond 32 bits.
pub const fn align(bytes: u64) -> Option<u32> {
    let aligned = bytes.div_ceil(ALIGN as u64) * ALIGN as u64;
    if aligned > u32::MAX as u64 { None } else { Some(aligned as u32) }
}

/// Finds room for `bytes` between the ranges in use, or the largest hole there is.
///
/// # Errors
/// The length of the largest hole, if it is smaller than `bytes`.
pub fn place(
    capacity_bytes: u32,
    used: impl Iterator<Item = Range> + Clone,
    bytes: u32,
) -> Result<Range, u32> {
    let mut largest = 0;
    let mut start = 0;
    loop {
        let next = used.clone().filter(|range| range.end() > start && range.bytes > 0);
        let next = next.min_by_key(|range| range.start);
        let hole = next.map_or(capacity_bytes, |range| range.start).saturating_sub(start);
        if hole >= bytes {
            return Ok(Range { start, bytes });
        }
        largest = largest.max(hole);
        match next {
            Some(range) => start = range.end(),
            None => return Err(largest),
        }
    }
}

#[cfg(test)]
mod tests;
