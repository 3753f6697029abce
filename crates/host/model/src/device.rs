//! What a Device's conditions say, beside what its gateway reports.

use crate::condition::{Observation, Verdict, kinds, reasons};

#[cfg(test)]
mod tests;

/// What was observed of a Device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed<'a> {
    /// Name of the object.
    pub name: &'a str,
    /// Name that its public key demands; nothing if the key cannot be read.
    pub key_name: Option<&'a str>,
    /// Whether it may have a session.
    pub enabled: bool,
    /// Whether it ever had a session.
    pub had_session: bool,
    /// The condition `Connected` as it stands.
    pub connected: Option<Standing<'a>>,
    /// Gateway process that holds or held the session.
    pub gateway: Option<&'a str>,
    /// Whether that process renews its Lease.
    pub gateway_alive: bool,
}

/// A condition as it stands in an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing<'a> {
    /// What it says.
    pub verdict: Verdict,
    /// Why.
    pub reason: &'a str,
    /// Why, in a sentence.
    pub message: &'a str,
}

/// Conditions that the controller writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conditions {
    /// Always.
    pub enrolled: Observation,
    /// Only while no gateway speaks for the device: gateways write it otherwise.
    pub connected: Option<Observation>,
    /// Always.
    pub ready: Observation,
}

impl Conditions {
    /// Those that are to be written.
    pub fn iter(&self) -> impl Iterator<Item = &Observation> {
        [&self.enrolled].into_iter().chain(&self.connected).chain([&self.ready])
    }
}

/// Derives a Device's conditions.
pub fn observe(observed: &Observed<'_>) -> Conditions {
    let enrolled = enrolled(observed);
    let connected = connected(observed);
    let ready = ready(observed, &enrolled, connected.as_ref());
    Conditions { enrolled, connected, ready }
}

fn enrolled(observed: &Observed<'_>) -> Observation {
    let kind = kinds::ENROLLED;
    match observed.key_name {
        Some(name) if name != observed.name => {
            let message = format!("the public key belongs to the name {name}");
            Observation::fails(kind, reasons::NAME_MISMATCH, message)
        }
        None => {
            let message = "the public key is not 32 bytes in Base64";
            Observation::fails(kind, reasons::NAME_MISMATCH, message)
        }
        Some(_) if !observed.enabled && !observed.had_session => {
            let message = "set spec.enabled to true to let the device in";
            Observation::fails(kind, reasons::PENDING_APPROVAL, message)
        }
        Some(_) if !observed.enabled => {
            let message = "spec.enabled is false: the key is on the deny record";
            Observation::fails(kind, reasons::DISABLED, message)
        }
        Some(_) => Observation::holds(kind, reasons::KEY_KNOWN, "the key may have a session"),
    }
}

fn connected(observed: &Observed<'_>) -> Option<Observation> {
    let kind = kinds::CONNECTED;
    let gateway = observed.gateway.unwrap_or("its gateway");
    match observed.connected {
        None => {
            let message = "the device has not had a session yet";
            Some(Observation::fails(kind, reasons::NEVER_CONNECTED, message))
        }
        Some(standing) if standing.verdict == Verdict::True && !observed.gateway_alive => {
            let message = format!("the gateway process {gateway} does not renew its Lease");
            Some(Observation::unknown(kind, reasons::GATEWAY_LOST, message))
        }
        // What the controller wrote it must go on writing, or its next apply would remove it.
        Some(standing) if standing.reason == reasons::NEVER_CONNECTED => {
            Some(Observation::fails(kind, reasons::NEVER_CONNECTED, standing.message))
        }
        Some(standing) if standing.reason == reasons::GATEWAY_LOST => {
            Some(Observation::unknown(kind, reasons::GATEWAY_LOST, standing.message))
        }
        Some(_) => None,
    }
}

fn ready(
    observed: &Observed<'_>,
    enrolled: &Observation,
    connected: Option<&Observation>,
) -> Observation {
    if enrolled.verdict != Verdict::True {
        return Observation { kind: kinds::READY, ..enrolled.clone() };
    }
    if let Some(connected) = connected {
        return Observation { kind: kinds::READY, ..connected.clone() };
    }
    match observed.connected {
        Some(standing) if standing.verdict == Verdict::True => {
            Observation::holds(kinds::READY, reasons::SESSION_OPEN, standing.message)
        }
        Some(standing) => {
            let reason = known_reason(standing.reason);
            Observation::new(kinds::READY, standing.verdict, reason, standing.message)
        }
        None => Observation::unknown(kinds::READY, reasons::PENDING, ""),
    }
}

/// The constant for a reason that a gateway wrote.
fn known_reason(reason: &str) -> &'static str {
    [reasons::HEARTBEAT_TIMEOUT, reasons::GATEWAY_STOPPED]
        .into_iter()
        .find(|known| *known == reason)
        .unwrap_or(reasons::SESSION_CLOSED)
}
