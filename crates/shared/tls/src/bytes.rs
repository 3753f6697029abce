//! Reading and writing the vectors of TLS: big-endian numbers, length prefixes.

use crate::error::Error;

/// What is left of a message.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Error::Decode)?;
        self.0 = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Error::Decode)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|bytes| bytes[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u24(&mut self) -> Result<u32, Error> {
        let [high, middle, low] = *self.array()?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    /// A vector whose length is one byte.
    pub(crate) fn vector8(&mut self) -> Result<Reader<'a>, Error> {
        let count = self.u8()?;
        self.take(usize::from(count)).map(Reader)
    }

    /// A vector whose length is two bytes.
    pub(crate) fn vector16(&mut self) -> Result<Reader<'a>, Error> {
        let count = self.u16()?;
        self.take(usize::from(count)).map(Reader)
    }

    /// A vector whose length is three bytes.
    pub(crate) fn vector24(&mut self) -> Result<Reader<'a>, Error> {
        let count = self.u24()?;
        self.take(count as usize).map(Reader)
    }

    /// Refuses whatever is left.
    pub(crate) const fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Decode) }
    }
}

/// Writes into a buffer; what does not fit is remembered, not written.
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    /// Bytes wanted so far, which may be more than the buffer has.
    count: usize,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, count: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.count + bytes.len();
        if let Some(target) = self.buffer.get_mut(self.count..end) {
            target.copy_from_slice(bytes);
        }
        self.count = end;
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Begins a vector with a two-byte length; give what this returns to [`Self::end16`].
    pub(crate) fn begin16(&mut self) -> usize {
        self.u16(0);
        self.count
    }

    /// Writes the length of the vector that began at `start`.
    pub(crate) fn end16(&mut self, start: usize) {
        let length = ((self.count - start) as u16).to_be_bytes();
        if let Some(target) = self.buffer.get_mut(start - 2..start) {
            target.copy_from_slice(&length);
        }
    }

    /// Bytes written.
    ///
    /// # Errors
    /// `None` if they did not all fit.
    pub(crate) const fn finish(self) -> Option<usize> {
        if self.count <= self.buffer.len() { Some(self.count) } else { None }
    }
}
