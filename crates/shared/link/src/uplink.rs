//! The uplink of a board without Ethernet: a session with the gateway and a console on one line.
//!
//! Nothing is sent twice: a damaged line ends the session, and the device opens a new one. Left out:
//! time and the UART. The device decides when it has waited too long, and starts again.
//!
//! # Layout
//! Numbers big-endian; `crc` is the CRC-32 of all bytes before it.
//! ```text
//! 7E  kind  sequence  length  payload  crc:4
//! ```
//! | kind | from | payload | |
//! |---|---|---|---|
//! | 01 Sync | device | nonce:8 window:2 payload_max:1 | opens a new session, ends any other |
//! | 02 Echo | host | the same | the session is open |
//! | 03 Credit | both | limit:2 | counted bytes the other side may send in all, modulo 65,536 |
//! | 04 Closed | both | reason:1 | the session has ended |
//! | 05 Lost | host | | what arrived is no frame, or one is missing: start again |
//! | 10 Session | both | bytes of the session | |
//! | 11 Console | device | text | |
//!
//! Credit, Closed and Session count: their bytes against the window of the receiver, and they
//! themselves in `sequence`. A session frame leaves [`RESERVE_BYTES`] of the window free, so Credit
//! and Closed can always follow, and what is under way never exceeds the receive ring of a device.
//!
//! A device starts with [`START_ZEROS`] zeros, longer than any frame, and Sync with a fresh random
//! nonce; it discards what arrives until exactly that nonce comes back, so nothing meant for its
//! former life reaches it. The host is lost at each new connection and after anything that is no
//! frame, and then obeys nothing until it has seen that many zeros: text that looks like frames,
//! inside one that was torn, is never obeyed. It ignores zeros between frames. A device that goes on
//! with a session which has ended is told so again and again, since it may have missed it.

mod device;
mod flow;
mod frame;
mod host;
#[cfg(test)]
mod tests;

pub use device::{Device, Event};
pub use frame::{Frame, Short, console};
pub use host::{Host, HostEvent};

use crate::limits::UPLINK_PAYLOAD_BYTES_MAX;

/// First byte of every frame.
pub(crate) const FRAME_SYNC: u8 = 0x7E;
/// Bytes of a frame before its payload.
pub const HEAD_BYTES: usize = 4;
/// Bytes of a frame behind its payload.
pub const TAIL_BYTES: usize = 4;
/// Bytes of a frame beside its payload.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + TAIL_BYTES;
/// Bytes of the longest frame.
pub const FRAME_BYTES_MAX: usize = OVERHEAD_BYTES + UPLINK_PAYLOAD_BYTES_MAX;
/// Zeros that end whatever was torn: no frame is as long, so no frame can hold that many.
pub const START_ZEROS: usize = FRAME_BYTES_MAX;
/// What session frames leave free of a window: three Credit frames and one Closed.
pub const RESERVE_BYTES: u16 = 3 * (OVERHEAD_BYTES as u16 + 2) + OVERHEAD_BYTES as u16 + 1;
/// Bytes of the payload of Sync and Echo.
pub(crate) const SYNC_BYTES: usize = 11;

/// What a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Kind {
    Sync = 0x01,
    Echo = 0x02,
    Credit = 0x03,
    Closed = 0x04,
    Lost = 0x05,
    Session = 0x10,
    Console = 0x11,
}

impl Kind {
    pub(crate) fn decode(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::Sync,
            0x02 => Self::Echo,
            0x03 => Self::Credit,
            0x04 => Self::Closed,
            0x05 => Self::Lost,
            0x10 => Self::Session,
            0x11 => Self::Console,
            _ => return None,
        })
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum CloseReason {
    /// The other side ended it.
    ByPeer = 0x00,
    /// The gateway could not be reached.
    Unreachable = 0x01,
}

impl CloseReason {
    /// An unknown reason is the other side's own affair.
    pub(crate) const fn decode(byte: u8) -> Self {
        match byte {
            0x01 => Self::Unreachable,
            _ => Self::ByPeer,
        }
    }
}
