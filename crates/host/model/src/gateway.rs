//! What a Gateway's status says, added up over its processes.

use crate::condition::{Observation, kinds, reasons};

#[cfg(test)]
mod tests;

/// Seconds before its end at which a certificate counts as expiring: rotation starts at two thirds
/// of a year, so a month left means that it does not work.
pub const CERTIFICATE_EXPIRING_S: i64 = 30 * 24 * 3600;

/// One gateway process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Replica {
    /// Whether it renews its Lease.
    pub alive: bool,
    /// Sessions it has.
    pub connected: i64,
    /// Sessions it takes.
    pub capacity: i64,
    /// Unix time at which its certificate ends, in seconds.
    pub certificate_not_after_s: Option<i64>,
}

/// What was observed of a Gateway.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// Its processes.
    pub replicas: Vec<Replica>,
    /// Unix time at which the pairing window closes, in seconds.
    pub pairing_until_s: Option<i64>,
}

/// What to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// Devices connected to living processes.
    pub connected: i64,
    /// Sessions that living processes take.
    pub capacity: i64,
    /// End of the first certificate to end, in seconds of Unix time.
    pub certificate_not_after_s: Option<i64>,
    /// `Ready`, `CertificateValid`, `Pairing`.
    pub conditions: [Observation; 3],
    /// Seconds after which something changes by time alone.
    pub revisit_s: Option<u64>,
}

/// Adds up a Gateway's processes.
pub fn observe(observed: &Observed, now_s: i64) -> Status {
    let alive: Vec<_> = observed.replicas.iter().filter(|replica| replica.alive).collect();
    let not_after = alive.iter().filter_map(|replica| replica.certificate_not_after_s).min();
    let certificate = certificate(not_after, now_s);
    let pairing = pairing(observed.pairing_until_s, now_s);
    let ready = if alive.is_empty() {
        let message =
            format!("{} processes are known, none renews its Lease", observed.replicas.len());
        Observation::fails(kinds::READY, reasons::NO_REPLICA, message)
    } else if certificate.reason == reasons::CERTIFICATE_EXPIRED {
        Observation { kind: kinds::READY, ..certificate.clone() }
    } else {
        let message = format!("{} processes serve", alive.len());
        Observation::holds(kinds::READY, reasons::SERVING, message)
    };
    let moments = [
        observed.pairing_until_s,
        not_after,
        not_after.map(|end| end.saturating_sub(CERTIFICATE_EXPIRING_S)),
    ];
    let next = moments.into_iter().flatten().filter(|moment| *moment > now_s).min();
    Status {
        connected: alive.iter().map(|replica| replica.connected).sum(),
        capacity: alive.iter().map(|replica| replica.capacity).sum(),
        certificate_not_after_s: not_after,
        conditions: [ready, certificate, pairing],
        revisit_s: next.map(|moment| moment.abs_diff(now_s)),
    }
}

fn certificate(not_after_s: Option<i64>, now_s: i64) -> Observation {
    let kind = kinds::CERTIFICATE_VALID;
    let Some(end) = not_after_s else {
        let message = "no process has said when its certificate ends";
        return Observation::unknown(kind, reasons::CERTIFICATE_UNKNOWN, message);
    };
    let days = (end.saturating_sub(now_s)) / (24 * 3600);
    if end <= now_s {
        let message = "the certificate has ended; run: wasmbed certs rotate gateway";
        Observation::fails(kind, reasons::CERTIFICATE_EXPIRED, message)
    } else if end.saturating_sub(now_s) < CERTIFICATE_EXPIRING_S {
        let message = format!(
            "the certificate ends in less than {} days; run: wasmbed certs rotate gateway",
            days + 1
        );
        Observation::holds(kind, reasons::CERTIFICATE_EXPIRING, message)
    } else {
        Observation::holds(kind, reasons::AS_EXPECTED, "the certificate is valid")
    }
}

fn pairing(until_s: Option<i64>, now_s: i64) -> Observation {
    let kind = kinds::PAIRING;
    match until_s {
        Some(until) if until > now_s => {
            Observation::holds(kind, reasons::WINDOW_OPEN, "devices without a token may enroll")
        }
        _ => {
            Observation::fails(kind, reasons::WINDOW_CLOSED, "only devices with a token may enroll")
        }
    }
}
