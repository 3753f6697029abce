//! How many handshakes each address may start and hold: a token bucket and a count per address.
//!
//! It knows no socket and no clock: the caller passes the address and the time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::limits::{self, Limits};

#[cfg(test)]
mod tests;

/// Why an address is turned away before its handshake begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// It holds as many unfinished handshakes as one address may.
    TooManyOpen,
    /// It starts them faster than one address may.
    TooFast,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Handshakes that may start now, in thousandths.
    tokens_milli: u64,
    filled_at: Instant,
    open_count: usize,
}

/// The addresses that were seen lately.
#[derive(Debug)]
pub(crate) struct Addresses {
    buckets: HashMap<IpAddr, Bucket>,
    rate_per_second: u64,
    burst: u64,
    open_max: usize,
}

impl Addresses {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            buckets: HashMap::new(),
            rate_per_second: u64::from(limits.handshakes_per_address_per_second),
            burst: u64::from(limits.handshake_burst.max(1)),
            open_max: limits.handshakes_per_address_max,
        }
    }

    /// Counts one handshake of `address`, to be given back with [`Self::leave`], or refuses it.
    pub(crate) fn enter(&mut self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        let address = subscriber(address);
        if self.buckets.len() >= limits::ADDRESSES_MAX && !self.buckets.contains_key(&address) {
            self.forget(now);
        }
        let full = self.burst * 1_000;
        let rate = self.rate_per_second;
        let bucket = self.buckets.entry(address).or_insert(Bucket {
            tokens_milli: full,
            filled_at: now,
            open_count: 0,
        });
        let elapsed = now.saturating_duration_since(bucket.filled_at);
        let gained = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_mul(rate);
        bucket.tokens_milli = bucket.tokens_milli.saturating_add(gained).min(full);
        bucket.filled_at = now;
        if bucket.open_count >= self.open_max {
            return Err(Refusal::TooManyOpen);
        }
        if bucket.tokens_milli < 1_000 {
            return Err(Refusal::TooFast);
        }
        bucket.tokens_milli -= 1_000;
        bucket.open_count += 1;
        Ok(())
    }

    /// Ends a handshake that [`Self::enter`] counted.
    pub(crate) fn leave(&mut self, address: IpAddr) {
        if let Some(bucket) = self.buckets.get_mut(&subscriber(address)) {
            bucket.open_count = bucket.open_count.saturating_sub(1);
        }
    }

    /// Drops addresses whose bucket is full again, and under a flood all that hold nothing open:
    /// the map stays bounded, and a flood from many addresses is bounded by the handshake permits.
    fn forget(&mut self, now: Instant) {
        let refill_ms = self.burst * 1_000 / self.rate_per_second.max(1);
        let refill = Duration::from_millis(refill_ms);
        self.buckets.retain(|_, bucket| {
            bucket.open_count > 0 || now.saturating_duration_since(bucket.filled_at) < refill
        });
        if self.buckets.len() >= limits::ADDRESSES_MAX {
            self.buckets.retain(|_, bucket| bucket.open_count > 0);
        }
    }
}

/// What one subscriber holds: an IPv4 address, or the /64 network of an IPv6 address.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}
