//! Log lines, telemetry and messages that wait: one bounded buffer, telemetry before messages before
//! logs, the oldest log line goes first when it is full. What is thrown away is counted.
//!
//! A message waits for several: the gateway and guests of this device. It is kept once, with a bit
//! for each of them.

use wasmbed_wire::AppId;
use wasmbed_wire::limits::LOG_BYTES_MAX;

use crate::late::Bytes;

/// Bytes of a record before its payload.
///
/// # Layout
/// Payload length 2, application 16, sequence 4, uptime 8, value 8, kind 1; little endian. The value
/// of a message is the set of those it waits for.
const HEAD_BYTES: usize = 39;

const VALUE_AT: usize = 30;

const KIND_AT: usize = 38;

/// In the set of those a message waits for: the gateway. The bits below are guests.
pub const GATEWAY: u64 = 1 << 32;

/// In the same set: nobody decided yet which guests it is for.
pub const UNROUTED: u64 = 1 << 33;

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A log line; the payload is its text.
    Log,
    /// A sample; the payload is its topic.
    Telemetry,
    /// A message; the payload is the length of its topic, its topic, and its own payload.
    Message,
    /// A log line that is not over yet.
    OpenLog,
}

impl Kind {
    fn of(number: u8) -> Self {
        match number {
            1 => Kind::Telemetry,
            2 => Kind::Message,
            3 => Kind::OpenLog,
            _ => Kind::Log,
        }
    }
}

/// One record, as it waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// Who wrote it.
    pub app: AppId,
    /// Its number since boot, those thrown away included.
    pub sequence: u32,
    /// When it was written.
    pub uptime_ms: u64,
    /// Value of a sample; whom a message waits for; 0 for a log line.
    pub value: i64,
    /// Text, topic or message.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Whether it is a message that waits for somebody in `receivers`.
    fn waits_for(&self, receivers: u64) -> bool {
        self.kind == Kind::Message && self.value as u64 & receivers != 0
    }

    /// Topic and payload of a message.
    pub fn message(&self) -> (&'a [u8], &'a [u8]) {
        let (length, rest) = self.payload.split_first().unwrap_or((&0, &[]));
        rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]))
    }
}

/// The queue. Its bytes belong to the caller of [`crate::Device::start`].
#[derive(Debug)]
pub struct Queue<'a> {
    bytes: Bytes<'a>,
    used: usize,
    logs: u32,
    samples: u32,
    messages: u32,
    /// Log lines thrown away.
    pub logs_dropped: u32,
    /// Samples thrown away.
    pub telemetry_dropped: u32,
    /// Messages thrown away, once for each that did not get it.
    pub messages_dropped: u32,
}

impl<'a> Queue<'a> {
    /// A queue that has no bytes yet and takes nothing.
    pub const NONE: Self = Self::of(Bytes::NONE);

    /// An empty queue in `bytes`.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self::of(Bytes::new(bytes))
    }

    const fn of(bytes: Bytes<'a>) -> Self {
        Self {
            bytes,
            used: 0,
            logs: 0,
            samples: 0,
            messages: 0,
            logs_dropped: 0,
            telemetry_dropped: 0,
            messages_dropped: 0,
        }
    }

    /// Adds a log line; older lines make room.
    pub fn push_log(&mut self, app: AppId, uptime_ms: u64, text: &[u8]) {
        let sequence = self.logs;
        self.logs = self.logs.wrapping_add(1);
        let kind = Kind::Log;
        let record = Record { kind, app, sequence, uptime_ms, value: 0, payload: text };
        if !self.push(&record) {
            self.logs_dropped = self.logs_dropped.saturating_add(1);
        }
    }

    /// Adds a sample; older log lines make room. Answers whether it was taken.
    pub fn push_sample(&mut self, app: AppId, uptime_ms: u64, topic: &[u8], value: i64) -> bool {
        let sequence = self.samples;
        self.samples = self.samples.wrapping_add(1);
        let kind = Kind::Telemetry;
        let taken = self.push(&Record { kind, app, sequence, uptime_ms, value, payload: topic });
        if !taken {
            self.telemetry_dropped = self.telemetry_dropped.saturating_add(1);
        }
        taken
    }

    /// Adds to the open log line of an application, or opens one. Line feeds end lines, and so does
    /// their bound; `show` is given each line that ended.
    pub fn write_log(
        &mut self,
        app: AppId,
        uptime_ms: u64,
        mut text: &[u8],
        show: &mut dyn FnMut(&[u8]),
    ) {
        while !text.is_empty() {
            let end = text.iter().position(|byte| *byte == b'\n');
            let (line, rest) = text.split_at(end.unwrap_or(text.len()));
            let taken = self.extend_log(app, uptime_ms, line);
            let is_whole = taken == line.len();
            let is_over = !is_whole || end.is_some();
            text = match rest.split_first() {
                Some((_, rest)) if is_whole => rest,
                _ => text.get(taken..).unwrap_or_default(),
            };
            if is_over {
                show(self.open_log(app).unwrap_or(line));
                self.close_log(app);
            }
        }
    }

    /// The open line of an application.
    fn open_log(&self, app: AppId) -> Option<&[u8]> {
        self.find_open(app).and_then(|at| self.record(at)).map(|record| record.payload)
    }

    fn find_open(&self, app: AppId) -> Option<usize> {
        self.records()
            .find(|(_, record)| record.kind == Kind::OpenLog && record.app == app)
            .map(|(at, _)| at)
    }

    /// Adds as much of `line` as its bound allows; answers how much.
    fn extend_log(&mut self, app: AppId, uptime_ms: u64, line: &[u8]) -> usize {
        let held = self.open_log(app).map_or(0, <[u8]>::len);
        let piece = line.get(..LOG_BYTES_MAX - held.min(LOG_BYTES_MAX)).unwrap_or(line);
        if held == 0 && self.find_open(app).is_none() {
            let sequence = self.logs;
            self.logs = self.logs.wrapping_add(1);
            let kind = Kind::OpenLog;
            let record = Record { kind, app, sequence, uptime_ms, value: 0, payload: piece };
            if !self.push(&record) {
                self.logs_dropped = self.logs_dropped.saturating_add(1);
            }
            return piece.len();
        }
        // Making room may remove records, even this one: only then is its place known.
        self.make_room(piece.len());
        let Some(at) = self.find_open(app) else { return piece.len() };
        let Some(end) = self.record_bytes(at).map(|bytes| at + bytes) else { return piece.len() };
        if self.bytes.len() - self.used < piece.len() {
            self.remove(at);
            self.logs_dropped = self.logs_dropped.saturating_add(1);
            return piece.len();
        }
        self.bytes.copy_within(end..self.used, end + piece.len());
        self.used += piece.len();
        if let Some(target) = self.bytes.get_mut(end..end + piece.len()) {
            target.copy_from_slice(piece);
        }
        if let Some(length) = self.bytes.get_mut(at..at + 2) {
            length.copy_from_slice(&((held + piece.len()) as u16).to_le_bytes());
        }
        piece.len()
    }

    /// Ends the open line of an application; it can be sent then.
    pub fn close_log(&mut self, app: AppId) {
        if let Some(at) = self.find_open(app) {
            self.set_kind(at, Kind::Log);
        }
    }

    fn set_kind(&mut self, at: usize, kind: Kind) {
        if let Some(byte) = self.bytes.get_mut(at + KIND_AT) {
            *byte = kind as u8;
        }
    }

    /// Adds a message for those in `waiting`; older log lines make room, and then older messages that
    /// only the gateway has not taken: guests of one device go on talking while it is away. Answers
    /// whether it was taken.
    pub fn push_message(
        &mut self,
        app: AppId,
        uptime_ms: u64,
        topic: &[u8],
        payload: &[u8],
        waiting: u64,
    ) -> bool {
        let sequence = self.messages;
        if waiting & GATEWAY != 0 {
            self.messages = self.messages.wrapping_add(1);
        }
        let (kind, value) = (Kind::Message, waiting as i64);
        let head = [topic.len() as u8];
        let parts = [&head[..], topic, payload];
        let record = Record { kind, app, sequence, uptime_ms, value, payload: &[] };
        while !self.push_parts(&record, parts) {
            self.count_lost_message();
            let Some(oldest) = self.find_left_to_gateway() else { return false };
            self.remove(oldest);
        }
        true
    }

    fn find_left_to_gateway(&self) -> Option<usize> {
        let is_left =
            |record: &Record<'_>| record.kind == Kind::Message && record.value as u64 == GATEWAY;
        self.records().find(|(_, record)| is_left(record)).map(|(at, _)| at)
    }

    /// Counts a message that somebody did not get.
    pub fn count_lost_message(&mut self) {
        self.messages_dropped = self.messages_dropped.saturating_add(1);
    }

    /// The oldest message that waits for somebody in `receivers`.
    pub fn message_for(&self, receivers: u64) -> Option<Record<'_>> {
        self.find_message(receivers).and_then(|at| self.record(at))
    }

    /// Messages that wait for somebody in `receivers`.
    pub fn count_messages_for(&self, receivers: u64) -> usize {
        self.records().filter(|(_, record)| record.waits_for(receivers)).count()
    }

    /// That message no longer waits for them, but for those in `others`.
    pub fn take_message(&mut self, receivers: u64, others: u64) {
        let Some(at) = self.find_message(receivers) else { return };
        let Some(record) = self.record(at) else { return };
        let waiting = record.value as u64 & !receivers | others;
        if waiting == 0 {
            self.remove(at);
        } else if let Some(value) = self.bytes.get_mut(at + VALUE_AT..at + KIND_AT) {
            value.copy_from_slice(&waiting.to_le_bytes());
        }
    }

    fn find_message(&self, receivers: u64) -> Option<usize> {
        self.find(Kind::Message, receivers)
    }

    /// The record that goes to the gateway next: the oldest sample, or else message, or else line.
    pub fn next(&self) -> Option<Record<'_>> {
        self.find_next().and_then(|at| self.record(at))
    }

    /// Removes the record that [`Queue::next`] answers, a message only for the gateway.
    pub fn drop_next(&mut self) {
        let Some(at) = self.find_next() else { return };
        if self.record(at).is_some_and(|record| record.kind == Kind::Message) {
            self.take_message(GATEWAY, 0);
        } else {
            self.remove(at);
        }
    }

    fn find_next(&self) -> Option<usize> {
        self.find(Kind::Telemetry, 0)
            .or_else(|| self.find_message(GATEWAY))
            .or_else(|| self.find(Kind::Log, 0))
    }

    fn push(&mut self, record: &Record<'_>) -> bool {
        self.push_parts(record, [record.payload, &[], &[]])
    }

    /// Makes room for so many bytes, as far as log lines go.
    fn make_room(&mut self, bytes: usize) -> bool {
        while self.bytes.len() - self.used < bytes {
            let oldest = self.find(Kind::Log, 0).or_else(|| self.find(Kind::OpenLog, 0));
            let Some(oldest) = oldest else { return false };
            self.remove(oldest);
            self.logs_dropped = self.logs_dropped.saturating_add(1);
        }
        true
    }

    fn push_parts(&mut self, record: &Record<'_>, parts: [&[u8]; 3]) -> bool {
        let payload_bytes: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = HEAD_BYTES + payload_bytes;
        if bytes > self.bytes.len() || !self.make_room(bytes) {
            return false;
        }
        let Some(target) = self.bytes.get_mut(self.used..self.used + bytes) else { return false };
        let (head, mut payload) = target.split_at_mut(HEAD_BYTES);
        head[..2].copy_from_slice(&(payload_bytes as u16).to_le_bytes());
        head[2..18].copy_from_slice(&record.app.0);
        head[18..22].copy_from_slice(&record.sequence.to_le_bytes());
        head[22..VALUE_AT].copy_from_slice(&record.uptime_ms.to_le_bytes());
        head[VALUE_AT..KIND_AT].copy_from_slice(&record.value.to_le_bytes());
        head[KIND_AT] = record.kind as u8;
        for part in parts {
            let (place, rest) = payload.split_at_mut(part.len());
            place.copy_from_slice(part);
            payload = rest;
        }
        self.used += bytes;
        true
    }

    fn records(&self) -> impl Iterator<Item = (usize, Record<'_>)> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let record = (at < self.used).then(|| self.record(at))??;
            let place = at;
            at += HEAD_BYTES + record.payload.len();
            Some((place, record))
        })
    }

    /// The oldest record of a kind; of messages, the oldest that waits for one of `receivers`.
    #[inline(never)]
    fn find(&self, kind: Kind, receivers: u64) -> Option<usize> {
        let mut at = 0;
        while at < self.used {
            let head = self.bytes.get(at + VALUE_AT..=at + KIND_AT)?;
            let (value, number) = head.split_first_chunk::<8>()?;
            let is_meant = kind != Kind::Message || u64::from_le_bytes(*value) & receivers != 0;
            if number == [kind as u8] && is_meant {
                return Some(at);
            }
            at += self.record_bytes(at)?;
        }
        None
    }

    fn record_bytes(&self, at: usize) -> Option<usize> {
        let length = self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(HEAD_BYTES + usize::from(u16::from_le_bytes(*length)))
    }

    fn record(&self, at: usize) -> Option<Record<'_>> {
        let bytes = self.bytes.get(at..at + self.record_bytes(at)?)?;
        let (head, payload) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let (_, rest) = head.split_first_chunk::<2>()?;
        let (app, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, rest) = rest.split_first_chunk::<4>()?;
        let (uptime_ms, rest) = rest.split_first_chunk::<8>()?;
        let (value, rest) = rest.split_first_chunk::<8>()?;
        Some(Record {
            kind: Kind::of(rest.first().copied().unwrap_or(0)),
            app: AppId(*app),
            sequence: u32::from_le_bytes(*sequence),
            uptime_ms: u64::from_le_bytes(*uptime_ms),
            value: i64::from_le_bytes(*value),
            payload,
        })
    }

    fn remove(&mut self, at: usize) {
        if let Some(bytes) = self.record_bytes(at)
            && at + bytes <= self.used
        {
            self.bytes.copy_within(at + bytes..self.used, at);
            self.used -= bytes;
        }
    }
}

#[cfg(test)]
mod tests;
