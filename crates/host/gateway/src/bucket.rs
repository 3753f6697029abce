//! A token bucket: how often something may happen in the long run, and how often at once.

use std::time::Instant;

/// Tokens that were not taken yet, in thousandths, and when they were counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens_milli: u64,
    counted_at: Instant,
}

/// What a bucket holds at most, and what it gains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) per_second: u32,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self { tokens_milli: u64::from(rate.burst) * 1_000, counted_at: now }
    }

    /// When the bucket was last looked at.
    pub(crate) fn counted_at(&self) -> Instant {
        self.counted_at
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.counted_at).as_millis();
        let elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let gained = elapsed_ms.saturating_mul(rate.per_second.into());
        let full = u64::from(rate.burst) * 1_000;
        self.tokens_milli = self.tokens_milli.saturating_add(gained).min(full);
        self.counted_at = now;
        let is_taken = self.tokens_milli >= 1_000;
        if is_taken {
            self.tokens_milli -= 1_000;
        }
        is_taken
    }
}
