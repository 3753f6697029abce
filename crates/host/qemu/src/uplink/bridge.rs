//! Carries between an open line and the gateway: sessions there, the console to the log.

use std::future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wasmbed_link::uplink::{CloseReason, Host, HostEvent};

use super::Counters;
use crate::capture::Capture;
use crate::console::Console;
use crate::impairment::{Harm, Impairment, Lane, Unit, Way};
use crate::limits::{LINE_PIECE_BYTES_MAX, UPLINK_READ_BYTES};
use crate::line::{Line, Source};
use crate::upstream::Upstream;

/// What the bridge is told while it runs.
pub(super) struct Changes {
    pub(super) plugged: watch::Receiver<bool>,
    pub(super) impairment: watch::Receiver<Impairment>,
    pub(super) gateway: watch::Receiver<String>,
    pub(super) cancel: CancellationToken,
}

pub(super) struct Bridge {
    console: Console,
    changes: Changes,
    capture: Option<Capture>,
    counters: Arc<Counters>,
    is_plugged: bool,
    started: Instant,
    host: Host,
    line: Option<Line>,
    up: Lane,
    down: Lane,
    /// What has crossed the line and waits for its far end to take it.
    to_line: Vec<u8>,
    /// Bounded by the credit that the device has.
    to_gateway: Vec<u8>,
    from_gateway: Vec<u8>,
    upstream: Upstream,
}

impl Bridge {
    pub(super) fn new(
        console: Console,
        changes: Changes,
        capture: Option<Capture>,
        counters: Arc<Counters>,
    ) -> Self {
        let impairment = *changes.impairment.borrow();
        let is_plugged = *changes.plugged.borrow();
        Self {
            console,
            changes,
            capture,
            counters,
            is_plugged,
            started: Instant::now(),
            host: Host::new(),
            line: None,
            up: Lane::new(Way::Up, Unit::Byte, impairment),
            down: Lane::new(Way::Down, Unit::Byte, impairment),
            to_line: Vec::new(),
            to_gateway: Vec::new(),
            from_gateway: Vec::new(),
            upstream: Upstream::None,
        }
    }

    /// Carries until it is cancelled. Sleeps whenever nothing is under way.
    pub(super) async fn run(mut self, mut source: Source, opened: watch::Sender<u64>) {
        loop {
            let delay = self.turn();
            let wants_read = self.host.is_open() && self.from_gateway.is_empty();
            let wants_write = !self.to_gateway.is_empty();
            tokio::select! {
                () = self.changes.cancel.cancelled() => return,
                line = source.next(self.line.is_some()) => {
                    self.restart();
                    self.line = Some(line);
                    opened.send_modify(|count| *count += 1);
                }
                () = ready(self.line.as_ref(), !self.to_line.is_empty()) => self.read_line(),
                () = self.upstream.ready(wants_read, wants_write) => {}
                () = sleep(delay) => {}
                changed = self.changes.plugged.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.is_plugged = *self.changes.plugged.borrow_and_update();
                    self.restart();
                }
                changed = self.changes.impairment.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let impairment = *self.changes.impairment.borrow_and_update();
                    self.up.set(impairment);
                    self.down.set(impairment);
                }
                changed = self.changes.gateway.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.close(CloseReason::ByPeer);
                }
            }
        }
    }

    /// Forgets the session and what was under way.
    fn restart(&mut self) {
        self.host = Host::new();
        self.up.clear();
        self.down.clear();
        self.to_line.clear();
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.upstream = Upstream::None;
        self.to_gateway.clear();
        self.from_gateway.clear();
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Moves all that can be moved now; answers when something on the line arrives next.
    fn turn(&mut self) -> Option<Duration> {
        let now = self.now();
        while let Some(bytes) = self.up.pop(now) {
            self.pass(Way::Up, &bytes);
            bytes.iter().for_each(|byte| self.take(*byte));
        }
        if matches!(self.upstream, Upstream::Failed) {
            self.close(CloseReason::Unreachable);
        }
        if let Err(error) = self.exchange() {
            tracing::debug!(%error, "gateway connection lost");
            self.close(CloseReason::ByPeer);
        }
        while let Some(frame) = self.host.control() {
            self.send(frame.bytes());
        }
        while let Some(frame) = self.host.session(&self.from_gateway) {
            let taken = frame.payload().len();
            let bytes: Vec<u8> = frame.bytes().collect();
            self.send(&bytes);
            self.from_gateway.drain(..taken);
        }
        let now = self.now();
        while let Some(bytes) = self.down.pop(now) {
            self.pass(Way::Down, &bytes);
            self.to_line.extend_from_slice(&bytes);
        }
        if let Err(error) = self.flush_line() {
            self.lose_line(&error);
        }
        let next = [self.up.next_due(), self.down.next_due()].into_iter().flatten().min();
        next.map(|due| due.saturating_sub(now))
    }

    /// Puts bytes for the device on the line.
    fn send(&mut self, bytes: &[u8]) {
        if self.line.is_none() {
            return;
        }
        let harm = if self.is_plugged {
            self.down.push(self.now(), bytes)
        } else {
            Harm { lost: bytes.len() as u64, ..Harm::default() }
        };
        self.count(harm);
    }

    fn count(&self, harm: Harm) {
        add(&self.counters.bytes_lost, harm.lost);
        add(&self.counters.bytes_doubled, harm.doubled);
        add(&self.counters.bytes_garbled, harm.garbled);
    }

    /// Counts and captures what arrives.
    fn pass(&mut self, way: Way, bytes: &[u8]) {
        let counter = match way {
            Way::Up => &self.counters.bytes_up,
            Way::Down => &self.counters.bytes_down,
        };
        add(counter, bytes.len() as u64);
        if let Some(capture) = &mut self.capture {
            capture.record(way, bytes, SystemTime::now());
        }
    }

    fn close(&mut self, reason: CloseReason) {
        if let Some(frame) = self.host.close(reason) {
            self.send(frame.bytes());
        }
        self.hang_up();
    }

    /// Reads from the gateway and writes to it.
    fn exchange(&mut self) -> io::Result<()> {
        let Upstream::Open { stream, has_ended, .. } = &mut self.upstream else { return Ok(()) };
        while !self.to_gateway.is_empty() {
            match stream.try_write(&self.to_gateway) {
                Ok(count) => {
                    self.to_gateway.drain(..count);
                    self.host.release(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.from_gateway.is_empty() && !*has_ended {
            let mut bytes = [0; UPLINK_READ_BYTES];
            match stream.try_read(&mut bytes) {
                Ok(0) => *has_ended = true,
                Ok(count) => self.from_gateway.extend_from_slice(bytes.split_at(count).0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if *has_ended && self.from_gateway.is_empty() {
            self.close(CloseReason::ByPeer);
        }
        Ok(())
    }

    fn read_line(&mut self) {
        let Some(line) = &self.line else { return };
        let mut bytes = [0; LINE_PIECE_BYTES_MAX];
        match line.try_read(&mut bytes) {
            Ok(count) => {
                let (read, _) = bytes.split_at(count);
                let harm = if self.is_plugged {
                    self.up.push(self.now(), read)
                } else {
                    Harm { lost: count as u64, ..Harm::default() }
                };
                self.count(harm);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.lose_line(&error),
        }
    }

    /// The far end is gone: QEMU has ended, or somebody pulled the plug.
    fn lose_line(&mut self, error: &io::Error) {
        if let Some(Line::Device(_)) = &self.line {
            tracing::warn!(%error, "serial line is gone");
        }
        self.line = None;
        self.restart();
    }

    fn take(&mut self, byte: u8) {
        match self.host.receive(byte) {
            None => {}
            Some(HostEvent::Session(payload)) => self.to_gateway.extend_from_slice(payload),
            Some(HostEvent::Console(text)) => self.console.write(text),
            Some(HostEvent::Open) => {
                add(&self.counters.sessions, 1);
                // What was meant for the former session must not reach this one.
                self.to_line.clear();
                self.down.clear();
                self.hang_up();
                self.upstream = Upstream::dial(&self.changes.gateway.borrow_and_update());
            }
            Some(HostEvent::Closed) => self.hang_up(),
            Some(HostEvent::Lost) => {
                add(&self.counters.sessions_lost, 1);
                self.hang_up();
            }
        }
    }

    fn flush_line(&mut self) -> io::Result<()> {
        let Some(line) = &self.line else { return Ok(()) };
        while !self.to_line.is_empty() {
            match line.try_write(&self.to_line) {
                Ok(count) => drop(self.to_line.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

async fn ready(line: Option<&Line>, wants_write: bool) {
    match line {
        Some(line) => line.ready(wants_write).await,
        None => future::pending().await,
    }
}

async fn sleep(delay: Option<Duration>) {
    match delay {
        Some(delay) => tokio::time::sleep(delay).await,
        None => future::pending().await,
    }
}
