//! A connection between a device and its gateway: bytes arrive in order, late and in pieces of any
//! size, until the connection is cut.

use std::collections::VecDeque;

use crate::choices::Choices;

/// Bytes on their way in one direction.
#[derive(Debug, Default)]
struct Direction {
    pieces: VecDeque<(u64, Vec<u8>)>,
}

impl Direction {
    fn send(&mut self, now_ms: u64, bytes: &[u8], delay_ms: u64, choices: &mut Choices) {
        let mut rest = bytes;
        let mut at_ms = self.pieces.back().map_or(now_ms, |(at_ms, _)| *at_ms);
        while !rest.is_empty() {
            let count = 1 + choices.below(rest.len() as u64) as usize;
            let (piece, tail) = rest.split_at(count);
            at_ms = at_ms.max(now_ms + choices.below(delay_ms + 1));
            self.pieces.push_back((at_ms, piece.to_vec()));
            rest = tail;
        }
    }

    fn front(&self, now_ms: u64) -> Option<&[u8]> {
        self.pieces.front().filter(|(at_ms, _)| *at_ms <= now_ms).map(|(_, bytes)| &bytes[..])
    }

    fn take(&mut self, count: usize) {
        if let Some((_, bytes)) = self.pieces.front_mut() {
            bytes.drain(..count);
            if bytes.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}

/// The connection.
#[derive(Debug, Default)]
pub struct Cable {
    /// Longest time that a piece is on its way.
    pub delay_ms_max: u64,
    /// Whether the cable is out: no connection can be made.
    pub is_out: bool,
    up: Direction,
    down: Direction,
}

impl Cable {
    /// A cable on which a piece takes up to `delay_ms_max`.
    pub fn new(delay_ms_max: u64) -> Self {
        Self { delay_ms_max, ..Self::default() }
    }

    /// Loses what is on its way.
    pub fn cut(&mut self) {
        self.up.pieces.clear();
        self.down.pieces.clear();
    }

    /// Sends towards the gateway.
    pub fn send_up(&mut self, now_ms: u64, bytes: &[u8], choices: &mut Choices) {
        self.up.send(now_ms, bytes, self.delay_ms_max, choices);
    }

    /// Sends towards the device.
    pub fn send_down(&mut self, now_ms: u64, bytes: &[u8], choices: &mut Choices) {
        self.down.send(now_ms, bytes, self.delay_ms_max, choices);
    }

    /// What arrived at the gateway.
    pub fn take_up(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        let bytes = self.up.front(now_ms)?.to_vec();
        self.up.take(bytes.len());
        Some(bytes)
    }

    /// What arrived at the device.
    pub fn front_down(&self, now_ms: u64) -> Option<&[u8]> {
        self.down.front(now_ms)
    }

    /// The device took that many bytes.
    pub fn take_down(&mut self, count: usize) {
        self.down.take(count);
    }

    /// When the next piece arrives.
    pub fn next_at_ms(&self) -> Option<u64> {
        [&self.up, &self.down]
            .iter()
            .filter_map(|direction| direction.pieces.front().map(|(at_ms, _)| *at_ms))
            .min()
    }
}
