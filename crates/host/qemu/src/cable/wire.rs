//! The board's end of a cable as smoltcp sees it: a bounded queue each way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use super::Counters;
use super::capture::Capture;
use super::frames::write_frame;
use crate::limits::{CABLE_BACKLOG_BYTES_MAX, FRAME_BYTES, FRAMES_MAX};

/// Frames on their way.
#[derive(Debug)]
pub(crate) struct Wire {
    is_plugged: bool,
    inbound: VecDeque<Vec<u8>>,
    /// Bytes for QEMU, framed.
    pub(super) backlog: Vec<u8>,
    capture: Option<Capture>,
    counters: Arc<Counters>,
}

impl Wire {
    pub(super) const fn new(
        capture: Option<Capture>,
        is_plugged: bool,
        counters: Arc<Counters>,
    ) -> Self {
        Self { is_plugged, inbound: VecDeque::new(), backlog: Vec::new(), capture, counters }
    }

    pub(super) fn set_plugged(&mut self, is_plugged: bool) {
        self.is_plugged = is_plugged;
    }

    /// Forgets what was under way to or from a QEMU that is gone.
    pub(super) fn clear(&mut self) {
        self.inbound.clear();
        self.backlog.clear();
    }

    /// Takes a frame from the board.
    pub(super) fn push(&mut self, frame: &[u8]) {
        if !self.passes(frame, self.inbound.len() < FRAMES_MAX) {
            return;
        }
        self.counters.frames_up.fetch_add(1, Ordering::Relaxed);
        self.inbound.push_back(frame.to_vec());
    }

    fn send(&mut self, frame: &[u8]) {
        if !self.passes(frame, self.backlog.len() < CABLE_BACKLOG_BYTES_MAX) {
            return;
        }
        self.counters.frames_down.fetch_add(1, Ordering::Relaxed);
        write_frame(&mut self.backlog, frame);
    }

    fn passes(&mut self, frame: &[u8], has_room: bool) -> bool {
        let passes = self.is_plugged && has_room;
        if !passes {
            count(&self.counters.frames_lost);
        } else if let Some(capture) = &mut self.capture {
            capture.record(frame, SystemTime::now());
        }
        passes
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A received frame.
pub(crate) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

/// Leave to send one frame.
pub(crate) struct Sending<'a>(&'a mut Wire);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let result = fill(&mut frame);
        self.0.send(&frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.inbound.pop_front()?;
        Some((Received(frame), Sending(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        (self.backlog.len() < CABLE_BACKLOG_BYTES_MAX).then_some(Sending(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = *FRAME_BYTES.end() - 4;
        capabilities
    }
}
