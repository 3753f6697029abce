//! The board's end of a cable as smoltcp sees it: a bounded queue each way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use super::Counters;
use super::frames::write_frame;
use crate::capture::Capture;
use crate::impairment::{Harm, Impairment, Lane, Unit, Way};
use crate::limits::{CABLE_BACKLOG_BYTES_MAX, FRAME_BYTES, FRAMES_MAX};

/// Frames on their way.
#[derive(Debug)]
pub(crate) struct Wire {
    is_plugged: bool,
    up: Lane,
    down: Lane,
    /// Time since the cable was laid.
    now: Duration,
    inbound: VecDeque<Vec<u8>>,
    /// Bytes for QEMU, framed.
    pub(super) backlog: Vec<u8>,
    capture: Option<Capture>,
    counters: Arc<Counters>,
}

impl Wire {
    pub(super) fn new(
        capture: Option<Capture>,
        is_plugged: bool,
        impairment: Impairment,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            is_plugged,
            up: Lane::new(Way::Up, Unit::Frame, impairment),
            down: Lane::new(Way::Down, Unit::Frame, impairment),
            now: Duration::ZERO,
            inbound: VecDeque::new(),
            backlog: Vec::new(),
            capture,
            counters,
        }
    }

    pub(super) fn set_plugged(&mut self, is_plugged: bool) {
        self.is_plugged = is_plugged;
        if !is_plugged {
            self.up.clear();
            self.down.clear();
        }
    }

    pub(super) fn set_impairment(&mut self, impairment: Impairment) {
        self.up.set(impairment);
        self.down.set(impairment);
    }

    /// Lets arrive what is due by `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        self.now = now;
        self.arrive();
    }

    /// Time until the next frame arrives, if one is under way.
    pub(super) fn next_delay(&self) -> Option<Duration> {
        let next = [self.up.next_due(), self.down.next_due()].into_iter().flatten().min();
        next.map(|due| due.saturating_sub(self.now))
    }

    /// Forgets what was under way to or from a QEMU that is gone.
    pub(super) fn clear(&mut self) {
        self.up.clear();
        self.down.clear();
        self.inbound.clear();
        self.backlog.clear();
    }

    /// Takes a frame from the board.
    pub(super) fn push(&mut self, frame: &[u8]) {
        self.put(Way::Up, frame);
    }

    fn put(&mut self, way: Way, frame: &[u8]) {
        let harm = match (self.is_plugged, way) {
            (false, _) => Harm { lost: 1, ..Harm::default() },
            (true, Way::Up) => self.up.push(self.now, frame),
            (true, Way::Down) => self.down.push(self.now, frame),
        };
        add(&self.counters.frames_lost, harm.lost);
        add(&self.counters.frames_doubled, harm.doubled);
        add(&self.counters.frames_garbled, harm.garbled);
        self.arrive();
    }

    fn arrive(&mut self) {
        while let Some(frame) = self.up.pop(self.now) {
            if self.has_room(Way::Up, &frame, self.inbound.len() < FRAMES_MAX) {
                self.inbound.push_back(frame);
            }
        }
        while let Some(frame) = self.down.pop(self.now) {
            if self.has_room(Way::Down, &frame, self.backlog.len() < CABLE_BACKLOG_BYTES_MAX) {
                write_frame(&mut self.backlog, &frame);
            }
        }
    }

    fn has_room(&mut self, way: Way, frame: &[u8], has_room: bool) -> bool {
        if !has_room {
            add(&self.counters.frames_lost, 1);
            return false;
        }
        let counter = match way {
            Way::Up => &self.counters.frames_up,
            Way::Down => &self.counters.frames_down,
        };
        add(counter, 1);
        if let Some(capture) = &mut self.capture {
            capture.record(way, frame, SystemTime::now());
        }
        true
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
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
        self.0.put(Way::Down, &frame);
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
