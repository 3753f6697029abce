//! The host's side: bridges one device to its gateway, and collects its console.

use super::flow::{Counted, Flow};
use super::frame::{Frame, Parser, Progress, Received, Short};
use super::{CloseReason, Kind, START_ZEROS};
use crate::limits::{
    HOST_WINDOW_BYTES, UNHEEDED_BYTES_MAX, UPLINK_PAYLOAD_BYTES_MAX, WINDOW_BYTES_MAX,
};

/// What happened on the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostEvent<'a> {
    /// The device began a new session: drop what is left of the old one, connect to the gateway.
    Open,
    /// Bytes of the session, for the gateway; [`Host::release`] once they are out of the way.
    Session(&'a [u8]),
    /// Text of the console.
    Console(&'a [u8]),
    /// The device ended the session.
    Closed,
    /// The line is damaged, and the session with it; the device will begin a new one.
    Lost,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Obeys nothing until enough zeros have passed.
    Lost,
    /// After those zeros: only now may the device open a session.
    Started,
    /// Between two sessions.
    Idle,
    /// A session is open.
    Open,
}

/// The host's end of an uplink.
#[derive(Debug)]
pub struct Host {
    state: State,
    zeros: usize,
    parser: Parser<UPLINK_PAYLOAD_BYTES_MAX>,
    flow: Flow,
    /// A frame that is to be sent before all others.
    urgent: Option<Short>,
    unheeded: Unheeded,
}

/// Bytes from a device that takes a session for open, since it was last told that none is.
#[derive(Debug)]
struct Unheeded(usize);

impl Unheeded {
    /// Counts more of them. A frame, now and then, to tell the device again: the one that told it may
    /// have been lost, and such a device waits for nothing.
    fn count(&mut self, bytes: usize) -> Option<Short> {
        self.0 += bytes;
        if self.0 < UNHEEDED_BYTES_MAX {
            return None;
        }
        self.0 = 0;
        Some(Short::new(Kind::Lost, 0, &[]))
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// The end of a new connection: lost, since it may begin in the middle of a frame. The first
    /// control frame says so, to a device that takes its session for open.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Lost,
            zeros: 0,
            parser: Parser::new(),
            flow: Flow::new(HOST_WINDOW_BYTES, 0, 0),
            urgent: Some(Short::new(Kind::Lost, 0, &[])),
            unheeded: Unheeded(0),
        }
    }

    /// Whether a session is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Takes one byte from the line.
    pub fn receive(&mut self, byte: u8) -> Option<HostEvent<'_>> {
        self.zeros = if byte == 0 { (self.zeros + 1).min(START_ZEROS) } else { 0 };
        if self.zeros == START_ZEROS {
            return self.restart();
        }
        if self.state == State::Lost {
            self.urgent = self.urgent.or(self.unheeded.count(usize::from(byte != 0)));
            return None;
        }
        if byte == 0 && self.parser.is_between() {
            return None;
        }
        let meaning = match self.parser.push(byte) {
            Progress::Partial => return None,
            Progress::Bad => Meaning::Broken,
            Progress::Whole(frame) => understand(self.state, &mut self.flow, &frame),
        };
        match meaning {
            Meaning::Nothing => None,
            Meaning::Stale(bytes) => {
                self.urgent = self.urgent.or(self.unheeded.count(bytes.into()));
                None
            }
            Meaning::Event(event) => {
                if self.state == State::Started {
                    self.state = State::Idle;
                }
                Some(event)
            }
            Meaning::Sync(payload) => {
                self.urgent = Some(Short::new(Kind::Echo, 0, &payload));
                let [_, _, _, _, _, _, _, _, high, low, payload_max] = payload;
                let window = u16::from_be_bytes([high, low]).min(WINDOW_BYTES_MAX);
                self.flow = Flow::new(HOST_WINDOW_BYTES, window, payload_max);
                self.state = State::Open;
                Some(HostEvent::Open)
            }
            Meaning::Closed => {
                self.state = State::Idle;
                Some(HostEvent::Closed)
            }
            Meaning::Broken => {
                self.state = State::Lost;
                self.urgent = Some(Short::new(Kind::Lost, 0, &[]));
                Some(HostEvent::Lost)
            }
        }
    }

    /// A run of zeros longer than any frame: the device starts, or is about to say why it stops.
    fn restart(&mut self) -> Option<HostEvent<'_>> {
        self.parser.reset();
        let was_open = self.state == State::Open;
        self.state = State::Started;
        was_open.then_some(HostEvent::Closed)
    }

    /// Lets the device send as many bytes more: they have left for the gateway.
    pub fn release(&mut self, bytes: usize) {
        self.flow.release(bytes.min(usize::from(u16::MAX)) as u16);
    }

    /// A frame that is due, if any. To be sent before any session frame.
    pub fn control(&mut self) -> Option<Short> {
        if let Some(urgent) = self.urgent.take() {
            return Some(urgent);
        }
        if self.is_open() { self.flow.credit() } else { None }
    }

    /// A frame with as much of `data` as the device has room for; [`Frame::payload`] tells how much
    /// that is. Nothing while no session is open, the device has no room, or a control frame is due.
    pub fn session<'a>(&mut self, data: &'a [u8]) -> Option<Frame<'a>> {
        if !self.is_open() || self.urgent.is_some() {
            return None;
        }
        self.flow.session(data)
    }

    /// Ends the session; the frame, if any, tells the device why.
    pub fn close(&mut self, reason: CloseReason) -> Option<Short> {
        if !self.is_open() {
            return None;
        }
        self.state = State::Idle;
        // There is always credit for it with a device that keeps to the rules.
        self.flow.closed(reason).or(Some(Short::new(Kind::Lost, 0, &[])))
    }
}

enum Meaning<'a> {
    Nothing,
    /// So many bytes of a session that has ended.
    Stale(u16),
    Event(HostEvent<'a>),
    Sync([u8; super::SYNC_BYTES]),
    Closed,
    Broken,
}

fn understand<'a>(state: State, flow: &mut Flow, frame: &Received<'a>) -> Meaning<'a> {
    match frame.kind {
        Kind::Console => Meaning::Event(HostEvent::Console(frame.payload)),
        Kind::Sync => match frame.payload.try_into() {
            Ok(payload) if state == State::Started => Meaning::Sync(payload),
            _ => Meaning::Broken,
        },
        Kind::Echo | Kind::Lost => Meaning::Broken,
        Kind::Closed if state != State::Open => Meaning::Nothing,
        // The device has not heard yet, or not at all, that the session has ended.
        Kind::Credit | Kind::Session if state != State::Open => Meaning::Stale(frame.frame_bytes()),
        Kind::Credit | Kind::Closed | Kind::Session => match flow.receive(frame) {
            Counted::Nothing => Meaning::Nothing,
            Counted::Session(payload) => {
                flow.hold(payload.len() as u16);
                Meaning::Event(HostEvent::Session(payload))
            }
            Counted::Closed(_) => Meaning::Closed,
            Counted::Broken => Meaning::Broken,
        },
    }
}
