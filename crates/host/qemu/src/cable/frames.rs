//! QEMU's framing of a stream netdev: four bytes of length, then the frame without its checksum.

use crate::limits::FRAME_BYTES;

/// The peer sent a length that no Ethernet frame has; what follows cannot be understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{frame_bytes} bytes are no Ethernet frame")]
pub(crate) struct LengthError {
    frame_bytes: u32,
}

/// Takes frames out of a stream.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    pending: Vec<u8>,
}

impl FrameReader {
    /// Takes `bytes`; hands each frame that is complete with them to `sink`.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), LengthError> {
        self.pending.extend_from_slice(bytes);
        let mut rest = self.pending.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<4>() {
            let frame_bytes = u32::from_be_bytes(*head);
            if !FRAME_BYTES.contains(&(frame_bytes as usize)) {
                return Err(LengthError { frame_bytes });
            }
            let Some((frame, next)) = after.split_at_checked(frame_bytes as usize) else { break };
            sink(frame);
            rest = next;
        }
        let taken = self.pending.len() - rest.len();
        self.pending.drain(..taken);
        Ok(())
    }
}

/// Appends `frame` to `target` as QEMU expects it.
pub(crate) fn write_frame(target: &mut Vec<u8>, frame: &[u8]) {
    target.extend_from_slice(&(frame.len() as u32).to_be_bytes());
    target.extend_from_slice(frame);
}
