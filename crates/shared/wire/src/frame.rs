//! Frames in the byte stream of a TLS session: two length bytes, most significant first, then a body.

use crate::limits::{FRAME_BODY_BYTES_MAX, FRAME_HEADER_BYTES};

/// Why a stream cannot be followed any further. The peer is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameError {
    /// The announced body is empty or larger than [`FRAME_BODY_BYTES_MAX`].
    BodyBytes(u16),
}

/// Writes the length of a body that stands at `frame[2..2 + body_bytes]`, and returns the frame.
///
/// Returns `None` if the body is empty or larger than a frame may be, or does not fit `frame`.
pub fn encode_frame(frame: &mut [u8], body_bytes: usize) -> Option<&[u8]> {
    if body_bytes == 0 || body_bytes > FRAME_BODY_BYTES_MAX {
        return None;
    }
    let header = u16::try_from(body_bytes).ok()?.to_be_bytes();
    frame.get_mut(..FRAME_HEADER_BYTES)?.copy_from_slice(&header);
    frame.get(..FRAME_HEADER_BYTES + body_bytes)
}

/// Collects stream bytes into frames, in a buffer of `FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX`.
///
/// # Layout
/// At most one frame is held. `push` takes no byte of the next one before `take` has freed the place.
pub struct Frames<B> {
    buffer: B,
    filled: usize,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Frames<B> {
    /// Starts with an empty stream.
    pub const fn new(buffer: B) -> Self {
        Self { buffer, filled: 0 }
    }

    /// Forgets what was collected: a new stream begins.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes bytes up to the end of the current frame, and returns how many.
    ///
    /// # Errors
    /// [`FrameError::BodyBytes`] if the announced length is not allowed; the stream is then lost.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<usize, FrameError> {
        let mut taken = 0;
        loop {
            let missing = self.wanted_bytes()?.saturating_sub(self.filled);
            let step = missing.min(bytes.len());
            if step == 0 {
                return Ok(taken);
            }
            let (Some(target), Some((head, rest))) = (
                self.buffer.as_mut().get_mut(self.filled..self.filled + step),
                bytes.split_at_checked(step),
            ) else {
                return Ok(taken);
            };
            target.copy_from_slice(head);
            bytes = rest;
            self.filled += step;
            taken += step;
        }
    }

    /// The body of the frame, once it is whole.
    pub fn body(&self) -> Option<&[u8]> {
        let body_bytes = self.body_bytes()?;
        let whole = FRAME_HEADER_BYTES + body_bytes;
        if self.filled < whole {
            return None;
        }
        self.buffer.as_ref().get(FRAME_HEADER_BYTES..whole)
    }

    /// Frees the place for the next frame.
    pub fn take(&mut self) {
        self.filled = 0;
    }

    fn body_bytes(&self) -> Option<usize> {
        if self.filled < FRAME_HEADER_BYTES {
            return None;
        }
        match self.buffer.as_ref() {
            [high, low, ..] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
            _ => None,
        }
    }

    fn wanted_bytes(&self) -> Result<usize, FrameError> {
        match self.body_bytes() {
            None => Ok(FRAME_HEADER_BYTES),
            Some(0) => Err(FrameError::BodyBytes(0)),
            Some(bytes) if bytes > FRAME_BODY_BYTES_MAX => {
                Err(FrameError::BodyBytes(bytes.try_into().unwrap_or(u16::MAX)))
            }
            Some(bytes) => Ok(FRAME_HEADER_BYTES + bytes),
        }
    }
}
