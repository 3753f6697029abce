//! The device: one step function over everything it does.

use crate::limits;
use crate::platform::{BoardFacts, Platform};

/// Memory that a device works in, given once by the caller.
#[derive(Debug)]
pub struct Memory<'a> {
    /// Guests: images and their working memory. Aligned to 8 bytes.
    pub arena: &'a mut [u8],
    /// One incoming frame.
    pub frame_in: &'a mut [u8; limits::FRAME_IN_BYTES],
    /// One outgoing frame, at least [`limits::FRAME_OUT_BYTES_MIN`].
    pub frame_out: &'a mut [u8],
    /// Log lines and telemetry that wait for the gateway.
    pub queue: &'a mut [u8],
    /// TLS record.
    pub record: &'a mut [u8; limits::RECORD_BYTES],
    /// TLS send buffer.
    pub send: &'a mut [u8; limits::SEND_BYTES],
}

/// Why a device cannot start. Nothing is written in any of these cases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartError {
    /// The journal is damaged beyond what a power cut can do, or the flash does not answer.
    Journal,
    /// There is no key yet and the entropy source gave nothing.
    Entropy,
    /// A buffer of [`Memory`] is smaller than its bound.
    Memory,
}

/// What the device wants from its transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wants {
    /// Leave the transport as it is.
    Nothing,
    /// Open a connection to the gateway at this address, then call [`Device::connected`].
    Connect {
        /// IPv4 address.
        address: [u8; 4],
        /// TCP port.
        port: u16,
    },
    /// Send what [`Device::outgoing`] still has, close, then call [`Device::disconnected`].
    Disconnect,
    /// Restart the board.
    Reboot,
}

/// What to do after a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Next {
    /// Milliseconds since boot at which the next step is due, if nothing arrives before. Not
    /// after now when work is left.
    pub wake_at_ms: u64,
    /// What the transport should do.
    pub wants: Wants,
}

/// Why a connection ended, as the transport saw it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// Nobody answered at the address.
    Unreachable,
    /// The other side closed, or the line was cut.
    ByPeer,
    /// The device asked for it.
    Requested,
}

/// A device without its hardware, with room for `GUESTS` guests.
#[derive(Debug)]
pub struct Device<'a, const GUESTS: usize> {
    _memory: Memory<'a>,
    _facts: BoardFacts<'a>,
}

impl<'a, const GUESTS: usize> Device<'a, GUESTS> {
    /// Starts a device: mounts the journal, counts the boot, makes the key at the first boot.
    ///
    /// # Errors
    /// [`StartError`]: the device must not run, and the caller shows why on the console.
    pub fn start<P: Platform>(
        memory: Memory<'a>,
        facts: BoardFacts<'a>,
        platform: &mut P,
    ) -> Result<Self, StartError> {
        let _ = platform.flash();
        Ok(Self { _memory: memory, _facts: facts })
    }

    /// Does one bounded piece of work: at most one curve operation or one slice of a guest.
    pub fn step<P: Platform>(&mut self, now_ms: u64, platform: &mut P) -> Next {
        let _ = platform;
        Next { wake_at_ms: now_ms, wants: Wants::Nothing }
    }

    /// The transport reached the gateway.
    pub fn connected(&mut self, now_ms: u64) {
        let _ = now_ms;
    }

    /// The transport is closed.
    pub fn disconnected(&mut self, now_ms: u64, why: Closed) {
        let _ = (now_ms, why);
    }

    /// Takes bytes that arrived; answers how many were taken. What is left must be given again
    /// after the next step, so the transport's own window pushes back.
    pub fn received(&mut self, bytes: &[u8]) -> usize {
        bytes.len()
    }

    /// Bytes to send to the gateway now.
    pub fn outgoing(&self) -> &[u8] {
        &[]
    }

    /// The transport took `count` bytes of [`Device::outgoing`].
    pub fn sent(&mut self, count: usize) {
        let _ = count;
    }
}
