//! Which session of a device may speak for it.

/// What a writer who holds the session `own` may do with a status that names the session `stored`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// It is the newest session there is: write.
    Write,
    /// A newer session exists: be silent, and end this one.
    Superseded,
}

/// The newest session wins.
pub fn claim(stored: Option<u64>, own: u64) -> Claim {
    match stored {
        Some(stored) if stored > own => Claim::Superseded,
        _ => Claim::Write,
    }
}

/// The epoch of a new session: above the stored one and above what the device has seen itself.
pub fn next_epoch(stored: Option<u64>, seen_by_device: u64) -> u64 {
    stored.unwrap_or(0).max(seen_by_device).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_session_wins() {
        let cases = [
            (None, 1, Claim::Write),
            (Some(1), 1, Claim::Write),
            (Some(1), 2, Claim::Write),
            (Some(2), 1, Claim::Superseded),
            (Some(u64::MAX), 1, Claim::Superseded),
        ];
        for (stored, own, expected) in cases {
            assert_eq!(claim(stored, own), expected, "{stored:?} {own}");
        }
        for (stored, seen, epoch) in [(None, 0, 1), (Some(4), 0, 5), (Some(4), 9, 10)] {
            assert_eq!(next_epoch(stored, seen), epoch);
        }
        println!("\ncases: {}", cases.len() + 3);
    }
}
