//! What an Application's status says, added up over the devices that its selector matches.

use std::collections::BTreeMap;

use crate::condition::{Observation, Verdict, kinds, reasons};
use crate::desired::{Budget, Revision};

#[cfg(test)]
mod tests;

/// Whether the newest revision still is what the Application asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Freshness {
    /// Whether what it was made from equals what the spec says now.
    pub template_unchanged: bool,
    /// Whether the spec names the digest of the module.
    pub digest_pinned: bool,
    /// Whether this generation of the spec was already answered with that revision.
    pub generation_answered: bool,
}

impl Freshness {
    /// Whether the newest revision stays, without a look at the module.
    ///
    /// Without a digest, each new generation looks at the module again: that is how a changed
    /// ConfigMap takes effect.
    pub fn keeps_revision(self) -> bool {
        self.template_unchanged && (self.digest_pinned || self.generation_answered)
    }
}

/// One device that the selector matches.
#[derive(Clone, Copy, Debug)]
pub struct DeviceView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its board.
    pub board: &'a str,
    /// Whether it has a session.
    pub connected: Verdict,
    /// What fits on it, once it said so.
    pub budget: Option<Budget>,
    /// Where the application stands on it, as the device or its gateway said.
    pub guest: Option<GuestView<'a>>,
}

/// Where an application stands on one device.
#[derive(Clone, Copy, Debug)]
pub struct GuestView<'a> {
    /// Generation it holds.
    pub generation: u64,
    /// State, a name of `wire`'s GuestState.
    pub state: &'a str,
    /// Reason, a name of `wire`'s GuestReason.
    pub reason: &'a str,
    /// A sentence, or nothing.
    pub message: &'a str,
}

/// Devices, counted by where the target revision stands on them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Matched by the selector.
    pub matched: u64,
    /// Holding the target revision.
    pub installed: u64,
    /// Running it, with a session.
    pub running: u64,
    /// Holding it, ended by itself.
    pub finished: u64,
    /// Holding it, trapped or ended with an error.
    pub failed: u64,
    /// Unable or unwilling to take it.
    pub refused: u64,
}

/// Whether the target revision fits one board.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BoardFit {
    /// Whether it fits on a device that runs nothing else.
    pub fits: bool,
    /// Matched devices of this board that said what fits.
    pub devices: u64,
    /// The smallest budget among them.
    pub budget: Budget,
}

/// What the devices say about the target revision.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Counts.
    pub counts: Counts,
    /// Fit, by board.
    pub fit: BTreeMap<String, BoardFit>,
    /// The first failure by device name, as a sentence.
    pub first_failure: Option<String>,
    /// The first refusal by device name, as a sentence.
    pub first_refusal: Option<String>,
}

/// Adds up `devices`. Without a target, nothing is installed anywhere.
pub fn tally(devices: &[DeviceView<'_>], target: Option<&Revision>) -> Tally {
    let mut tally = Tally::default();
    let mut order: Vec<_> = devices.iter().collect();
    order.sort_by_key(|device| device.name);
    for device in order {
        tally.counts.matched += 1;
        let Some(target) = target else { continue };
        if let Some(budget) = device.budget {
            add_fit(&mut tally.fit, device.board, budget, target);
        }
        match device.guest {
            Some(guest) if guest.generation == target.generation => {
                add_guest(&mut tally, device, guest);
            }
            _ => {}
        }
    }
    tally
}

fn add_guest(tally: &mut Tally, device: &DeviceView<'_>, guest: GuestView<'_>) {
    let counts = &mut tally.counts;
    let sentence = || format!("{}: {}: {}", device.name, guest.reason, guest.message);
    match guest.state {
        "Running" => {
            counts.installed += 1;
            // A device that nobody hears may run on; only what is known is counted.
            counts.running += u64::from(device.connected == Verdict::True);
        }
        "Installed" | "Stopped" => counts.installed += 1,
        "Finished" => {
            counts.installed += 1;
            counts.finished += 1;
        }
        "Failed" => {
            counts.installed += 1;
            counts.failed += 1;
            tally.first_failure.get_or_insert_with(sentence);
        }
        "Refused" => {
            counts.refused += 1;
            tally.first_refusal.get_or_insert_with(sentence);
        }
        _ => {}
    }
}

fn add_fit(fit: &mut BTreeMap<String, BoardFit>, board: &str, budget: Budget, target: &Revision) {
    let fits = target.image_format == budget.image_format
        && target.host_calls & !budget.host_calls == 0
        && target.image_bytes <= budget.slot_bytes
        && target.arena_bytes <= budget.arena_bytes;
    let entry = fit.entry(board.to_owned()).or_insert(BoardFit { fits, devices: 0, budget });
    entry.devices += 1;
    entry.fits &= fits;
    if budget.arena_bytes < entry.budget.arena_bytes {
        entry.budget = budget;
    }
}

/// `Available` and `Ready`, from `Prepared`, whether it is suspended, and the devices.
pub fn conditions(prepared: &Observation, suspend: bool, tally: &Tally) -> [Observation; 2] {
    let ready = match prepared.verdict {
        Verdict::True => ready(suspend, tally),
        _ => Observation { kind: kinds::READY, ..prepared.clone() },
    };
    [available(suspend, tally), ready]
}

fn available(suspend: bool, tally: &Tally) -> Observation {
    let Counts { matched, running, .. } = tally.counts;
    let kind = kinds::AVAILABLE;
    let message = format!("runs on {running} of {matched} devices");
    match running {
        0 if suspend => Observation::fails(kind, reasons::SUSPENDED, message),
        0 if matched == 0 => Observation::fails(kind, reasons::NO_MATCHING_DEVICES, message),
        0 => Observation::fails(kind, reasons::NONE_RUNNING, message),
        _ if running == matched => Observation::holds(kind, reasons::ALL_RUNNING, message),
        _ => Observation::holds(kind, reasons::SOME_RUNNING, message),
    }
}

fn ready(suspend: bool, tally: &Tally) -> Observation {
    let Counts { matched, installed, running, finished, .. } = tally.counts;
    let kind = kinds::READY;
    if matched == 0 {
        let message = "no device of this namespace matches the selector";
        return Observation::fails(kind, reasons::NO_MATCHING_DEVICES, message);
    }
    if let Some(refusal) = &tally.first_refusal {
        let doubtful = tally.fit.values().any(|fit| !fit.fits);
        let reason = if doubtful { reasons::DOES_NOT_FIT } else { reasons::REFUSED };
        return Observation::fails(kind, reason, refusal.clone());
    }
    if let Some(failure) = &tally.first_failure {
        return Observation::fails(kind, reasons::GUEST_FAILED, failure.clone());
    }
    if suspend {
        let message = format!("installed on {installed} of {matched} devices, kept from running");
        return Observation::fails(kind, reasons::SUSPENDED, message);
    }
    let message =
        format!("runs on {running} of {matched} devices, has finished on {finished} of them");
    if finished == matched {
        Observation::holds(kind, reasons::FINISHED, message)
    } else if running + finished == matched {
        let message = format!("runs on {running} of {matched} devices");
        Observation::holds(kind, reasons::ALL_RUNNING, message)
    } else {
        let message =
            format!("runs on {running} of {matched} devices, installed on {installed} of them");
        Observation::fails(kind, reasons::PROGRESSING, message)
    }
}

/// The names of revisions that may go, oldest first: all but the newest `keep`, and never one of
/// `in_use`. `revisions` are names with their generations.
pub fn surplus_revisions<'a>(
    revisions: &[(&'a str, u64)],
    in_use: &[&str],
    keep: usize,
) -> Vec<&'a str> {
    let mut order: Vec<_> = revisions.to_vec();
    order.sort_by_key(|(name, generation)| (*generation, *name));
    let surplus = order.len().saturating_sub(keep);
    let oldest = order.into_iter().take(surplus).map(|(name, _)| name);
    oldest.filter(|name| !in_use.contains(name)).collect()
}
