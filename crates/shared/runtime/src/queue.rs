//! Log lines and telemetry that wait for the gateway: one bounded buffer, telemetry before logs,
//! the oldest log line goes first when it is full. What is thrown away is counted.

use wasmbed_wire::AppId;

/// Bytes of a record before its payload.
///
/// # Layout
/// Payload length 2, application 16, sequence 4, uptime 8, value 8, kind 1; little endian.
const HEAD_BYTES: usize = 39;

const KIND_AT: usize = 38;

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A log line; the payload is its text.
    Log,
    /// A sample; the payload is its topic.
    Telemetry,
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
    /// Value of a sample; 0 for a log line.
    pub value: i64,
    /// Text or topic.
    pub payload: &'a [u8],
}

/// The queue. Its bytes belong to the caller of [`crate::Device::start`].
#[derive(Debug)]
pub struct Queue<'a> {
    bytes: &'a mut [u8],
    used: usize,
    logs: u32,
    samples: u32,
    /// Log lines thrown away.
    pub logs_dropped: u32,
    /// Samples thrown away.
    pub telemetry_dropped: u32,
}

impl<'a> Queue<'a> {
    /// An empty queue in `bytes`.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, used: 0, logs: 0, samples: 0, logs_dropped: 0, telemetry_dropped: 0 }
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

    /// The record that goes next: the oldest sample, or else the oldest log line.
    pub fn next(&self) -> Option<Record<'_>> {
        self.find(Kind::Telemetry).or_else(|| self.find(Kind::Log)).and_then(|at| self.record(at))
    }

    /// Removes the record that [`Queue::next`] answers.
    pub fn drop_next(&mut self) {
        if let Some(at) = self.find(Kind::Telemetry).or_else(|| self.find(Kind::Log)) {
            self.remove(at);
        }
    }

    fn push(&mut self, record: &Record<'_>) -> bool {
        let bytes = HEAD_BYTES + record.payload.len();
        if bytes > self.bytes.len() {
            return false;
        }
        while self.bytes.len() - self.used < bytes {
            let Some(oldest) = self.find(Kind::Log) else { return false };
            self.remove(oldest);
            self.logs_dropped = self.logs_dropped.saturating_add(1);
        }
        let Some(target) = self.bytes.get_mut(self.used..self.used + bytes) else { return false };
        let (head, payload) = target.split_at_mut(HEAD_BYTES);
        head[..2].copy_from_slice(&(record.payload.len() as u16).to_le_bytes());
        head[2..18].copy_from_slice(&record.app.0);
        head[18..22].copy_from_slice(&record.sequence.to_le_bytes());
        head[22..30].copy_from_slice(&record.uptime_ms.to_le_bytes());
        head[30..KIND_AT].copy_from_slice(&record.value.to_le_bytes());
        head[KIND_AT] = record.kind as u8;
        payload.copy_from_slice(record.payload);
        self.used += bytes;
        true
    }

    fn find(&self, kind: Kind) -> Option<usize> {
        let mut at = 0;
        while at < self.used {
            if *self.bytes.get(at + KIND_AT)? == kind as u8 {
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
        let is_log = rest == [Kind::Log as u8];
        Some(Record {
            kind: if is_log { Kind::Log } else { Kind::Telemetry },
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
