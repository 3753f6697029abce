//! The way to the gateway over a serial line, shared with the console.
//!
//! Frames are always written whole before anything else is, so a line of the console never lands
//! inside one; the fault handlers end a torn one by zeros first.

use crate::clock;
use crate::console::{Part, line, say};
use crate::{limits, ports};
use wasmbed_hal::Serial;
use wasmbed_link::uplink::{self, CloseReason, Event, START_ZEROS, Short};
use wasmbed_runtime::{Closed, Device, Wants};

/// Milliseconds until a session that was asked for is asked for again.
///
/// # Source
/// `wasmbed_link::uplink::Device::start`.
const START_PATIENCE_MS: u64 = 2_000;

/// Times a session is asked for before the gateway counts as unreachable. Chosen: a host that
/// restarts is back within ten seconds.
const START_TRIES_MAX: u8 = 5;

/// Text bytes in one console frame. Chosen: it lies on the stack of whoever prints.
const CONSOLE_PAYLOAD_BYTES: usize = 32;

/// Memory of the uplink, given once.
pub struct Buffers {
    link: uplink::Device<{ limits::UPLINK_PAYLOAD_BYTES }>,
}

impl Buffers {
    /// A line that is down.
    pub const fn new() -> Self {
        Self { link: uplink::Device::new(limits::UPLINK_WINDOW_BYTES) }
    }
}

/// Where the one session stands, as the device was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Closed,
    /// Asked for; again at this time.
    Starting {
        again_at_ms: u64,
        tries_left: u8,
    },
    Open,
    /// The device asked for the end; what is queued still goes out.
    Closing,
}

/// The way to the gateway.
pub struct Transport {
    buffers: &'static mut Buffers,
    /// Bytes of the last session frame that the device has not taken yet; nothing more is received
    /// before it has.
    pending_from: usize,
    pending_to: usize,
    phase: Phase,
}

impl Transport {
    /// Ends whatever the line carried before this boot.
    pub fn start(buffers: &'static mut Buffers) -> Option<Self> {
        send_zeros();
        Some(Self { buffers, pending_from: 0, pending_to: 0, phase: Phase::Closed })
    }

    /// Moves bytes, and tells `device` what became of its session. True if anything of that
    /// concerned the device.
    #[inline(never)]
    pub fn poll<const GUESTS: usize>(
        &mut self,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) -> bool {
        let mut has_moved = self.receive(device, now_ms);
        has_moved |= self.restart(device, now_ms);
        while matches!(self.phase, Phase::Open | Phase::Closing) && !device.outgoing().is_empty() {
            let Some(frame) = self.buffers.link.session(device.outgoing()) else { break };
            write(frame.head());
            write(frame.payload());
            write(frame.tail());
            let count = frame.payload().len();
            device.sent(count);
            has_moved = true;
        }
        if self.phase == Phase::Closing && device.outgoing().is_empty() {
            if let Some(frame) = self.buffers.link.close() {
                write(frame.bytes());
            }
            self.end(device, now_ms, Closed::Requested);
            has_moved = true;
        }
        has_moved
    }

    /// True if anything was taken.
    #[inline(never)]
    fn receive<const GUESTS: usize>(
        &mut self,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) -> bool {
        let mut has_moved = false;
        loop {
            while self.pending_from < self.pending_to {
                let pending = &self.buffers.link.payload()[self.pending_from..self.pending_to];
                let taken = device.received(pending);
                if taken == 0 {
                    return has_moved;
                }
                self.pending_from += taken;
                has_moved = true;
            }
            let Some(byte) = ports::CONSOLE.read() else { return has_moved };
            let Some(event) = self.buffers.link.receive(byte) else { continue };
            has_moved = true;
            let closed = match event {
                Event::Open => {
                    self.phase = Phase::Open;
                    say(&[Part::Text("uplink: connected")]);
                    device.connected(now_ms);
                    continue;
                }
                Event::Session(bytes) => {
                    self.pending_from = 0;
                    self.pending_to = bytes.len();
                    if let Some(credit) = self.buffers.link.credit() {
                        write(credit.bytes());
                    }
                    continue;
                }
                Event::Closed(CloseReason::Unreachable) => Closed::Unreachable,
                Event::Closed(CloseReason::ByPeer) | Event::Lost => Closed::ByPeer,
            };
            let what = match (event, closed) {
                (Event::Lost, _) => "uplink: line damaged",
                (_, Closed::Unreachable) => "uplink: the gateway cannot be reached",
                _ => "uplink: connection lost",
            };
            say(&[Part::Text(what)]);
            self.end(device, now_ms, closed);
        }
    }

    fn end<const GUESTS: usize>(
        &mut self,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
        why: Closed,
    ) {
        self.phase = Phase::Closed;
        self.pending_from = self.pending_to;
        device.disconnected(now_ms, why);
    }

    /// Asks for the session again when the host did not answer. True if that was given up.
    #[inline(never)]
    fn restart<const GUESTS: usize>(
        &mut self,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) -> bool {
        let Phase::Starting { again_at_ms, tries_left } = self.phase else { return false };
        if now_ms < again_at_ms {
            return false;
        }
        if tries_left == 0 {
            say(&[Part::Text("uplink: nobody answers on the line")]);
            self.buffers.link.close();
            self.end(device, now_ms, Closed::Unreachable);
            return true;
        }
        let mut nonce = [0; 8];
        if ports::random(&mut nonce) {
            send_zeros();
            let sync: Short = self.buffers.link.start(nonce);
            write(sync.bytes());
        }
        let again_at_ms = now_ms + START_PATIENCE_MS;
        self.phase = Phase::Starting { again_at_ms, tries_left: tries_left - 1 };
        false
    }

    /// Does what the device wants.
    #[inline(never)]
    pub fn obey<const GUESTS: usize>(
        &mut self,
        wants: Wants,
        device: &mut Device<'_, GUESTS>,
        now_ms: u64,
    ) {
        match (wants, self.phase) {
            // The device waits for no end that never comes: a new session replaces what still closes.
            (Wants::Connect { .. }, Phase::Closed | Phase::Closing) => {
                say(&[Part::Text("uplink: connecting")]);
                self.phase = Phase::Starting { again_at_ms: 0, tries_left: START_TRIES_MAX };
            }
            (Wants::Disconnect, Phase::Closed) => device.disconnected(now_ms, Closed::Requested),
            (Wants::Disconnect, Phase::Open | Phase::Starting { .. }) => {
                self.phase = Phase::Closing;
            }
            _ => {}
        }
    }

    /// When the line itself has something to do.
    pub fn wake_at_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Starting { again_at_ms, .. } => Some(again_at_ms),
            _ => None,
        }
    }

    /// Whether bytes wait, which may be less than a frame.
    pub fn has_piece(&self) -> bool {
        ports::CONSOLE.has_received()
    }

    /// True if nothing arrived since the last poll.
    pub fn is_idle(&self) -> bool {
        self.pending_from == self.pending_to && !ports::CONSOLE.has_received()
    }
}

/// Queues all of `bytes`, asleep while the line takes its time.
fn write(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let taken = ports::CONSOLE.write(rest);
        rest = &rest[taken..];
        if !rest.is_empty() {
            clock::sleep(u64::MAX, || !ports::CONSOLE.has_room());
        }
    }
}

fn send_zeros() {
    (0..START_ZEROS).for_each(|_| write(&[0]));
}

/// Shows a line in frames of the console channel.
pub fn console(parts: &[Part<'_>]) {
    let mut text = Gathered { bytes: [0; CONSOLE_PAYLOAD_BYTES], used: 0 };
    line(parts, &mut |bytes| text.push(bytes));
    text.flush();
}

/// Ends a frame that the fault may have torn, past all queues.
pub fn end_torn_frame() {
    (0..START_ZEROS).for_each(|_| ports::CONSOLE.write_now(&[0]));
}

/// Shows text past all queues, in a frame of its own, for the fault handlers.
pub fn shout(text: &[u8]) {
    let frame = uplink::console(text);
    ports::CONSOLE.write_now(frame.head());
    ports::CONSOLE.write_now(frame.payload());
    ports::CONSOLE.write_now(frame.tail());
}

/// Pieces of a line on their way into frames.
struct Gathered {
    bytes: [u8; CONSOLE_PAYLOAD_BYTES],
    used: usize,
}

impl Gathered {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.used == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.used] = *byte;
            self.used += 1;
        }
    }

    fn flush(&mut self) {
        let frame = uplink::console(&self.bytes[..self.used]);
        write(frame.head());
        write(frame.payload());
        write(frame.tail());
        self.used = 0;
    }
}
