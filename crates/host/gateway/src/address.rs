//! How many handshakes each address may start and hold: a token bucket and a count per address.
//!
//! It knows no socket and no clock: the caller passes the address and the time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::bucket::{Bucket, Rate};
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
struct Seen {
    bucket: Bucket,
    open_count: usize,
}

/// The addresses that were seen lately.
#[derive(Debug)]
pub(crate) struct Addresses {
    seen: HashMap<IpAddr, Seen>,
    rate: Rate,
    open_max: usize,
}

impl Addresses {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            seen: HashMap::new(),
            rate: Rate {
                burst: limits.handshake_burst.max(1),
                per_second: limits.handshakes_per_address_per_second,
            },
            open_max: limits.handshakes_per_address_max,
        }
    }

    /// Counts one handshake of `address`, to be given back with [`Self::leave`], or refuses it.
    pub(crate) fn enter(&mut self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        let address = subscriber(address);
        if self.seen.len() >= limits::ADDRESSES_MAX && !self.seen.contains_key(&address) {
            self.forget(now);
        }
        let rate = self.rate;
        let new = || Seen { bucket: Bucket::new(rate, now), open_count: 0 };
        let seen = self.seen.entry(address).or_insert_with(new);
        if seen.open_count >= self.open_max {
            return Err(Refusal::TooManyOpen);
        }
        if !seen.bucket.take(rate, now) {
            return Err(Refusal::TooFast);
        }
        seen.open_count += 1;
        Ok(())
    }

    /// Ends a handshake that [`Self::enter`] counted.
    pub(crate) fn leave(&mut self, address: IpAddr) {
        if let Some(seen) = self.seen.get_mut(&subscriber(address)) {
            seen.open_count = seen.open_count.saturating_sub(1);
        }
    }

    /// Drops addresses whose bucket is full again, and under a flood all that hold nothing open:
    /// the map stays bounded, and a flood from many addresses is bounded by the handshake permits.
    fn forget(&mut self, now: Instant) {
        let Rate { burst, per_second } = self.rate;
        let refill = Duration::from_secs(u64::from(burst / per_second.max(1)) + 1);
        self.seen.retain(|_, seen| {
            let idle = now.saturating_duration_since(seen.bucket.counted_at());
            seen.open_count > 0 || idle < refill
        });
        if self.seen.len() >= limits::ADDRESSES_MAX {
            self.seen.retain(|_, seen| seen.open_count > 0);
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
