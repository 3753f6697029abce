//! Puts values one after the other into a buffer, in their shortest form.

/// A buffer that is filled from its front. What does not fit is lost, and [`Writer::finish`] says so.
#[derive(Debug)]
pub struct Writer<'o> {
    target: &'o mut [u8],
    /// Bytes that were to be written, those that did not fit included.
    used: usize,
}

impl<'o> Writer<'o> {
    /// Begins at the front of `target`.
    pub const fn new(target: &'o mut [u8]) -> Self {
        Self { target, used: 0 }
    }

    /// The part that was written; `None` if it was too small.
    pub fn finish(self) -> Option<&'o [u8]> {
        self.target.get(..self.used)
    }

    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        if let Some(place) = self.target.get_mut(self.used..end) {
            place.copy_from_slice(bytes);
        }
        self.used = end;
    }

    #[inline(never)]
    fn head(&mut self, kind: u8, number: u64) {
        let big_endian = number.to_be_bytes();
        let (code, width) = match number {
            0..=23 => (number as u8, 0),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        self.put(&[kind << 5 | code]);
        self.put(big_endian.get(8 - width..).unwrap_or_default());
    }

    /// A number from 0 on.
    pub fn unsigned(&mut self, number: u64) {
        self.head(0, number);
    }

    /// A number of either sign.
    #[inline(never)]
    pub fn signed(&mut self, number: i64) {
        match u64::try_from(number) {
            Ok(number) => self.head(0, number),
            Err(_) => self.head(1, !number as u64),
        }
    }

    /// Bytes.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(2, bytes.len() as u64);
        self.put(bytes);
    }

    /// Text.
    #[inline(never)]
    pub fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.put(text.as_bytes());
    }

    /// The count of an array's items, which the caller writes next.
    pub fn array(&mut self, count: usize) {
        self.head(4, count as u64);
    }

    /// The count of a map's pairs, which the caller writes next.
    pub fn map(&mut self, count: usize) {
        self.head(5, count as u64);
    }

    /// True or false.
    pub fn boolean(&mut self, value: bool) {
        self.put(&[0xf4 | u8::from(value)]);
    }

    /// Null.
    pub fn null(&mut self) {
        self.put(&[0xf6]);
    }

    /// Makes the whole fail, as if the buffer were too small.
    pub fn refuse(&mut self) {
        self.used = usize::MAX;
    }
}
