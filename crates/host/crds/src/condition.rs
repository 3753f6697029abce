//! Reading and setting conditions by the Kubernetes conventions.
//!
//! Which conditions exist and what their reasons are is in `model`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use wasmbed_model::condition::{Observation, Verdict};

#[cfg(test)]
mod tests;

/// Sets one condition. `lastTransitionTime` changes only when the status does.
///
/// Returns whether anything but the observed generation changed.
pub fn set(
    conditions: &mut Vec<Condition>,
    observation: &Observation,
    generation: Option<i64>,
    now: Time,
) -> bool {
    let fresh = Condition {
        type_: observation.kind.to_owned(),
        status: observation.verdict.text().to_owned(),
        observed_generation: generation,
        last_transition_time: now,
        reason: observation.reason.to_owned(),
        message: observation.message.clone(),
    };
    let Some(old) = conditions.iter_mut().find(|old| old.type_ == observation.kind) else {
        conditions.push(fresh);
        return true;
    };
    let unchanged = old.status == fresh.status;
    let changed = !unchanged || old.reason != fresh.reason || old.message != fresh.message;
    let since =
        if unchanged { old.last_transition_time.clone() } else { fresh.last_transition_time };
    *old = Condition { last_transition_time: since, ..fresh };
    changed
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// What the condition of this type says; Unknown where it is missing.
pub fn verdict(conditions: &[Condition], kind: &str) -> Verdict {
    find(conditions, kind).map_or(Verdict::Unknown, |condition| Verdict::parse(&condition.status))
}

/// Whether the condition of this type is True.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    verdict(conditions, kind) == Verdict::True
}
