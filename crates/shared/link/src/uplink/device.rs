//! The device's side: speaks first, and starts again whenever the line is damaged.

use super::flow::{Counted, Flow};
use super::frame::{Frame, Parser, Progress, Short};
use super::{CloseReason, Kind, OVERHEAD_BYTES, SYNC_BYTES};
use crate::limits::{HOST_WINDOW_BYTES, UPLINK_PAYLOAD_BYTES_MAX, WINDOW_BYTES_MAX};

/// What happened on the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// The session is open; the host connects to the gateway.
    Open,
    /// Bytes of the session; the credit for them is given.
    Session(&'a [u8]),
    /// The session has ended; the line is fine. [`Device::start`] opens a new one.
    Closed(CloseReason),
    /// The line is damaged, and the session with it. [`Device::start`] opens a new one.
    Lost,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Nothing is expected; what arrives is dropped.
    Down,
    /// Waits for the echo; this many of its bytes have come.
    Syncing { matched: usize },
    /// The session is open.
    Open,
}

/// The device's end of an uplink, with session frames of at most `PAYLOAD` bytes received.
#[derive(Debug)]
pub struct Device<const PAYLOAD: usize> {
    window: u16,
    state: State,
    echo: [u8; OVERHEAD_BYTES + SYNC_BYTES],
    flow: Flow,
    parser: Parser<PAYLOAD>,
}

impl<const PAYLOAD: usize> Device<PAYLOAD> {
    /// A line whose receive ring holds `window` bytes and 16 more, for what does not count. Between
    /// [`WINDOW_BYTES_MIN`](crate::limits::WINDOW_BYTES_MIN), below which nothing is ever received,
    /// and [`WINDOW_BYTES_MAX`], more than which is not used.
    #[must_use]
    pub const fn new(window: u16) -> Self {
        const { assert!(PAYLOAD >= 1 && PAYLOAD <= UPLINK_PAYLOAD_BYTES_MAX) };
        let window = if window < WINDOW_BYTES_MAX { window } else { WINDOW_BYTES_MAX };
        Self {
            window,
            state: State::Down,
            echo: [0; OVERHEAD_BYTES + SYNC_BYTES],
            flow: Flow::new(window, 0, 0),
            parser: Parser::new(),
        }
    }

    /// Begins a new session. Send [`START_ZEROS`](super::START_ZEROS) zeros, then this frame; call
    /// again, with another nonce, if [`Event::Open`] does not come within two seconds.
    pub fn start(&mut self, nonce: [u8; 8]) -> Short {
        let mut payload = [0; SYNC_BYTES];
        let [high, low] = self.window.to_be_bytes();
        let bounds = [high, low, PAYLOAD as u8];
        let fields = nonce.iter().chain(&bounds);
        payload.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = *byte);
        let echo = Short::new(Kind::Echo, 0, &payload);
        self.echo.iter_mut().zip(echo.bytes()).for_each(|(slot, byte)| *slot = *byte);
        self.state = State::Syncing { matched: 0 };
        self.flow = Flow::new(self.window, HOST_WINDOW_BYTES, UPLINK_PAYLOAD_BYTES_MAX as u8);
        self.parser.reset();
        Short::new(Kind::Sync, 0, &payload)
    }

    /// Whether the session is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Takes one byte from the line.
    pub fn receive(&mut self, byte: u8) -> Option<Event<'_>> {
        match self.state {
            State::Down => None,
            State::Syncing { matched } => self.match_echo(matched, byte).then_some(Event::Open),
            State::Open => self.receive_open(byte),
        }
    }

    /// Looks for exactly the bytes of the echo, whatever else comes before them.
    fn match_echo(&mut self, matched: usize, byte: u8) -> bool {
        let is_next = |matched: usize| self.echo.get(matched) == Some(&byte);
        let matched = if is_next(matched) { matched + 1 } else { usize::from(is_next(0)) };
        let is_complete = matched == self.echo.len();
        self.state = if is_complete { State::Open } else { State::Syncing { matched } };
        is_complete
    }

    fn receive_open(&mut self, byte: u8) -> Option<Event<'_>> {
        let frame = match self.parser.push(byte) {
            Progress::Partial => return None,
            Progress::Whole(frame) => frame,
            Progress::Bad => {
                self.state = State::Down;
                return Some(Event::Lost);
            }
        };
        match self.flow.receive(&frame) {
            Counted::Nothing => None,
            Counted::Session(payload) => Some(Event::Session(payload)),
            Counted::Closed(reason) => {
                self.state = State::Down;
                Some(Event::Closed(reason))
            }
            Counted::Broken => {
                self.state = State::Down;
                Some(Event::Lost)
            }
        }
    }

    /// The payload of the last session frame, in place: it stays until the next byte is received.
    #[must_use]
    pub const fn payload(&self) -> &[u8; PAYLOAD] {
        self.parser.payload()
    }

    /// A frame with as much of `data` as may be sent now; [`Frame::payload`] tells how much that is.
    /// Nothing while the session is not open or the host has given no credit.
    pub fn session<'a>(&mut self, data: &'a [u8]) -> Option<Frame<'a>> {
        if !self.is_open() {
            return None;
        }
        self.flow.session(data)
    }

    /// A Credit frame that is due, if any: ask after each received session frame.
    pub fn credit(&mut self) -> Option<Short> {
        if !self.is_open() {
            return None;
        }
        self.flow.credit()
    }

    /// Ends the session; the frame, if any, tells the host.
    pub fn close(&mut self) -> Option<Short> {
        let frame = if self.is_open() { self.flow.closed(CloseReason::ByPeer) } else { None };
        self.state = State::Down;
        frame
    }
}
