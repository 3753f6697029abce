//! Whether a stranger may become a Device.

use wasmbed_wire::RefusedReason;

use crate::condition::{Observation, kinds, reasons};

#[cfg(test)]
mod tests;

/// What an Enrollment allows, and who used it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Enrollment<'a> {
    /// Uses it allows.
    pub uses_max: u64,
    /// Unix time of its end, in seconds.
    pub expires_s: Option<i64>,
    /// Public keys that used it, as they are written in its status.
    pub used_by: Vec<&'a str>,
}

/// What to do with a key that came with an Enrollment's token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The key used it before: nothing to record.
    UsedBefore,
    /// Record the use, then make the Device.
    Use,
    /// Turn it away.
    Refuse(RefusedReason),
}

/// Decides about `key`. One that used the token before is let in even after it ended, so that a
/// device whose first answer was lost is not locked out.
pub fn decide(enrollment: &Enrollment<'_>, key: &str, now_s: i64) -> Decision {
    if enrollment.used_by.contains(&key) {
        return Decision::UsedBefore;
    }
    if is_expired(enrollment, now_s) {
        return Decision::Refuse(RefusedReason::TokenExpired);
    }
    if enrollment.used_by.len() as u64 >= enrollment.uses_max {
        return Decision::Refuse(RefusedReason::TokenUsedUp);
    }
    Decision::Use
}

/// What the Enrollment's `Ready` says, and in how many seconds to look again.
pub fn observe(enrollment: &Enrollment<'_>, now_s: i64) -> (Observation, Option<u64>) {
    let (used, max) = (enrollment.used_by.len(), enrollment.uses_max);
    if is_expired(enrollment, now_s) {
        let message = format!("the token has ended; it was used {used} of {max} times");
        return (Observation::fails(kinds::READY, reasons::EXPIRED, message), None);
    }
    if used as u64 >= max {
        let message = format!("the token was used {used} of {max} times");
        return (Observation::fails(kinds::READY, reasons::USED_UP, message), None);
    }
    let message = format!("the token can be used; it was used {used} of {max} times");
    let left = enrollment.expires_s.map(|end| end.saturating_sub(now_s).unsigned_abs());
    (Observation::holds(kinds::READY, reasons::OPEN, message), left)
}

fn is_expired(enrollment: &Enrollment<'_>, now_s: i64) -> bool {
    enrollment.expires_s.is_some_and(|end| end <= now_s)
}
