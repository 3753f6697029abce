//! Credit and sequence of one side: what it may send, and what it has granted.

use super::frame::{Frame, Received, Short};
use super::{CloseReason, HEAD_BYTES, Kind, OVERHEAD_BYTES, RESERVE_BYTES, TAIL_BYTES};
use crate::limits::UPLINK_PAYLOAD_BYTES_MAX;

/// Counters since the session was opened, all modulo 65,536.
#[derive(Debug)]
pub(super) struct Flow {
    /// Counted bytes sent, and how many may be in all.
    sent: u16,
    sent_limit: u16,
    /// Counted bytes taken, and how many were allowed in all.
    taken: u16,
    taken_limit: u16,
    /// Bytes taken that still occupy the own buffer.
    held: u16,
    /// Own window.
    window: u16,
    sequence_out: u8,
    sequence_in: u8,
    payload_max: usize,
}

/// What a counted frame means.
pub(super) enum Counted<'a> {
    Nothing,
    Session(&'a [u8]),
    Closed(CloseReason),
    /// Out of sequence, beyond the credit, or not well formed.
    Broken,
}

impl Flow {
    /// A new session, with the own window, that of the other side, and its longest payload.
    pub(super) const fn new(window: u16, peer_window: u16, payload_max: u8) -> Self {
        Self {
            sent: 0,
            sent_limit: peer_window,
            taken: 0,
            taken_limit: window,
            held: 0,
            window,
            sequence_out: 0,
            sequence_in: 0,
            payload_max: payload_max as usize,
        }
    }

    const fn available(&self) -> u16 {
        self.sent_limit.wrapping_sub(self.sent)
    }

    fn count_out(&mut self, frame_bytes: usize) -> u8 {
        self.sent = self.sent.wrapping_add(frame_bytes as u16);
        let sequence = self.sequence_out;
        self.sequence_out = sequence.wrapping_add(1);
        sequence
    }

    /// A session frame with as much of `data` as may be sent now; nothing if that is none.
    pub(super) fn session<'a>(&mut self, data: &'a [u8]) -> Option<Frame<'a>> {
        let room = self.available().checked_sub(RESERVE_BYTES)?;
        let room = usize::from(room).checked_sub(OVERHEAD_BYTES)?;
        let length = data.len().min(room).min(self.payload_max).min(UPLINK_PAYLOAD_BYTES_MAX);
        let payload = data.get(..length).filter(|payload| !payload.is_empty())?;
        let sequence = self.count_out(OVERHEAD_BYTES + length);
        Some(Frame::new(Kind::Session, sequence, payload))
    }

    /// A Closed frame, if there is credit for one.
    pub(super) fn closed(&mut self, reason: CloseReason) -> Option<Short> {
        self.short(Kind::Closed, &[reason as u8])
    }

    /// A Credit frame, once half of what session frames may use of the own window has been used.
    /// So one is always due before the other side has no room for a session frame left.
    pub(super) fn credit(&mut self) -> Option<Short> {
        let limit = self.taken.wrapping_sub(self.held).wrapping_add(self.window);
        if limit.wrapping_sub(self.taken_limit) < self.window.saturating_sub(RESERVE_BYTES) / 2 {
            return None;
        }
        let frame = self.short(Kind::Credit, &limit.to_be_bytes())?;
        self.taken_limit = limit;
        Some(frame)
    }

    /// Gives no credit for these bytes before they are released.
    pub(super) fn hold(&mut self, bytes: u16) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Gives credit for bytes that were held.
    pub(super) fn release(&mut self, bytes: u16) {
        self.held = self.held.saturating_sub(bytes);
    }

    fn short(&mut self, kind: Kind, payload: &[u8]) -> Option<Short> {
        let frame_bytes = HEAD_BYTES + payload.len() + TAIL_BYTES;
        if usize::from(self.available()) < frame_bytes {
            return None;
        }
        let sequence = self.count_out(frame_bytes);
        Some(Short::new(kind, sequence, payload))
    }

    /// Counts a received frame and tells what it means.
    pub(super) fn receive<'a>(&mut self, frame: &Received<'a>) -> Counted<'a> {
        let allowed = self.taken_limit.wrapping_sub(self.taken);
        if frame.sequence != self.sequence_in || frame.frame_bytes() > allowed {
            return Counted::Broken;
        }
        self.sequence_in = self.sequence_in.wrapping_add(1);
        self.taken = self.taken.wrapping_add(frame.frame_bytes());
        match (frame.kind, frame.payload) {
            (Kind::Session, payload) => Counted::Session(payload),
            (Kind::Closed, [reason]) => Counted::Closed(CloseReason::decode(*reason)),
            (Kind::Credit, [high, low]) => self.take_credit(u16::from_be_bytes([*high, *low])),
            _ => Counted::Broken,
        }
    }

    /// Credit only ever grows, and by no more than a window can hold.
    fn take_credit<'a>(&mut self, limit: u16) -> Counted<'a> {
        if limit.wrapping_sub(self.sent) > u16::MAX / 2 {
            return Counted::Broken;
        }
        self.sent_limit = limit;
        Counted::Nothing
    }
}
