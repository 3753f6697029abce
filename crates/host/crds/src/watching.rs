//! How long a watch waits after an error before it is tried again.

use std::time::{Duration, Instant};

use kube::runtime::utils::Backoff;

#[cfg(test)]
mod tests;

/// Wait after the first error: an API server that is started anew is back in about this time.
const DELAY_MIN: Duration = Duration::from_millis(200);
/// Longest wait. The watches of one manager can share one wait and fail all at once, so this is
/// short: what counts is how soon they see again, and there are few of them in a cluster.
const DELAY_MAX: Duration = Duration::from_secs(2);
/// Time without an error after which the next one is a first one again. A watch that ends as soon as
/// it has begun must not be begun all the time.
const CALM: Duration = Duration::from_secs(10);

/// Waits that double with each error, and begin anew after a while without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchBackoff {
    last: Option<(Instant, Duration)>,
}

impl WatchBackoff {
    fn delay_at(&mut self, now: Instant) -> Duration {
        let recent = self.last.filter(|(at, delay)| now.duration_since(*at) < *delay + CALM);
        let delay = recent.map_or(DELAY_MIN, |(_, delay)| (delay * 2).min(DELAY_MAX));
        self.last = Some((now, delay));
        delay
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.delay_at(Instant::now()))
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        // Called with each item that comes; only a while without an error counts.
    }
}
