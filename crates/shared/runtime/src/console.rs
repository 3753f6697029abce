//! Lines for the console, put together without `core::fmt`.

use crate::platform::Platform;

/// Bytes of a console line; what does not fit is left out. Chosen: the width of a terminal.
const LINE_BYTES: usize = 80;

/// A line that grows to the right.
pub struct Line {
    bytes: [u8; LINE_BYTES],
    used: usize,
}

impl Line {
    /// A line that begins with `text`.
    pub fn new(text: &str) -> Self {
        let mut line = Self { bytes: [0; LINE_BYTES], used: 0 };
        line.text(text);
        line
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            if let Some(target) = self.bytes.get_mut(self.used) {
                *target = *byte;
                self.used += 1;
            }
        }
        self
    }

    /// Adds a decimal number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut rest = number;
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            first -= 1;
            if rest == 0 {
                break;
            }
        }
        self.bytes(digits.get(first..).unwrap_or_default())
    }

    /// Adds the first bytes of an identifier in hexadecimal, enough to tell a few apart.
    pub fn id(&mut self, id: &[u8]) -> &mut Self {
        for byte in id.iter().take(4) {
            for half in [byte >> 4, byte & 15] {
                self.bytes(&[b"0123456789abcdef"[usize::from(half)]]);
            }
        }
        self
    }

    /// Shows the line.
    pub fn show<P: Platform>(&self, platform: &mut P) {
        platform.console(self.bytes.get(..self.used).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
