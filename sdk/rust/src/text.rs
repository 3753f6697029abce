//! A line of text in fixed memory: what is left of formatting when code has to be small.

/// Text of at most `BYTES` bytes; what does not fit is left out.
#[derive(Clone, Copy, Debug)]
pub struct Line<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
}

impl<const BYTES: usize> Default for Line<BYTES> {
    fn default() -> Self {
        Line::new()
    }
}

impl<const BYTES: usize> Line<BYTES> {
    /// An empty line.
    pub const fn new() -> Self {
        Line { bytes: [0; BYTES], length: 0 }
    }

    /// Adds text, as far as whole characters fit.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let mut fitting = text.len().min(BYTES - self.length);
        while !text.is_char_boundary(fitting) {
            fitting -= 1;
        }
        for (target, byte) in
            self.bytes.iter_mut().skip(self.length).zip(text.bytes().take(fitting))
        {
            *target = byte;
        }
        self.length += fitting;
        self
    }

    /// Adds a number in decimal, whole or not at all.
    pub fn number(&mut self, value: u32) -> &mut Self {
        let mut digits = 1;
        let mut rest = value / 10;
        while rest != 0 {
            digits += 1;
            rest /= 10;
        }
        if let Some(target) = self.bytes.get_mut(self.length..self.length + digits) {
            let mut rest = value;
            for digit in target.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            self.length += digits;
        }
        self
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or(&[]);
        // SAFETY: `text` and `number` add whole characters only, and nothing else writes.
        unsafe { core::str::from_utf8_unchecked(text) }
    }
}

#[cfg(test)]
mod tests;
