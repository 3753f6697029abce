//! What one device shall hold: all applications that want it, ordered, as far as they fit.
//!
//! Left out: which applications want it (a label selector's matter, in `crds`).

use std::cmp::Reverse;

use wasmbed_wire::{GuestReason, limits};

use crate::host_interface;
use crate::ids::{AppId, Digest};

#[cfg(test)]
mod tests;

/// Alignment of what a device places in its arena.
const ARENA_ALIGN_BYTES: u64 = 8;

/// What fits on a device, as it said itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Bytes of RAM that all guests share.
    pub arena_bytes: u32,
    /// Bytes of the longest image that one slot takes.
    pub slot_bytes: u32,
    /// Image slots, the spare one for updates included.
    pub slots: u8,
    /// Guests that can be installed at once.
    pub guests: u8,
    /// Number of the image format that the engine executes.
    pub image_format: u8,
    /// What the firmware offers to guests, as in [`host_interface`].
    pub host_calls: u32,
}

impl Budget {
    /// Guests that a device takes so that one slot stays free to stage an update.
    pub fn guests_max(&self) -> usize {
        let with_spare = self.slots.saturating_sub(1).max(1);
        usize::from(self.guests.min(with_spare)).min(limits::APPS_PER_DEVICE_MAX)
    }
}

/// The revision of an application that a device shall be brought to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revision {
    /// Name of the ApplicationRevision.
    pub name: String,
    /// Generation that is signed.
    pub generation: u64,
    /// Digest of the image.
    pub image: Digest,
    /// Bytes of the image.
    pub image_bytes: u32,
    /// Number of the image's format.
    pub image_format: u8,
    /// Bytes of the arena that a guest takes in all.
    pub arena_bytes: u32,
    /// What its imports need of the firmware, as in [`host_interface`].
    pub host_calls: u32,
}

/// An application that wants a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Which.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// Unix time of its creation, in seconds.
    pub created_s: i64,
    /// Higher comes first.
    pub priority: i32,
    /// Whether it shall be installed but not run.
    pub suspend: bool,
    /// A change restarts the guest once.
    pub restart_token: u32,
    /// What to bring to the device.
    pub revision: Revision,
}

/// One application that the device shall hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Which, and in which revision.
    pub candidate: Candidate,
    /// Whether it shall run.
    pub run: bool,
}

/// One application that wants the device and is not sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Which.
    pub candidate: Candidate,
    /// Why, in the words that a device uses for the same.
    pub reason: GuestReason,
    /// What it needs of what is missing; the missing bits for ImportRefused.
    pub needed: u64,
    /// What was left of it.
    pub available: u64,
}

impl Refusal {
    /// The reason as a sentence with its numbers.
    pub fn message(&self) -> String {
        let Self { candidate, needed, available, .. } = self;
        match self.reason {
            GuestReason::ArenaTooSmall => {
                format!("needs {needed} bytes of RAM, {available} are free on the device")
            }
            GuestReason::NoImageSlot => {
                format!("the image has {needed} bytes, a slot of the device takes {available}")
            }
            GuestReason::ImageFormatUnsupported => {
                format!("the image has format {needed}, the device executes {available}")
            }
            GuestReason::TooManyGuests => {
                format!("the device takes {available} guests, all of higher precedence")
            }
            GuestReason::ImportRefused => {
                let missing = host_interface::names(*needed as u32).join(", ");
                format!("its imports need {missing}, which the firmware of the device lacks")
            }
            reason => format!("{}: {}", candidate.name, reason.name()),
        }
    }
}

/// What one device shall hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// To hold, in the order of precedence.
    pub accepted: Vec<Entry>,
    /// Not sent, in the order of precedence.
    pub refused: Vec<Refusal>,
}

/// Orders `candidates` by priority, age and name, and takes what fits.
///
/// One that does not fit does not keep a smaller one behind it from being taken.
pub fn plan(budget: &Budget, mut candidates: Vec<Candidate>) -> Plan {
    candidates.sort_by(|a, b| {
        let key = |c: &Candidate| (Reverse(c.priority), c.created_s);
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)).then_with(|| a.app.cmp(&b.app))
    });
    let mut plan = Plan::default();
    let mut arena_left = u64::from(budget.arena_bytes);
    for candidate in candidates {
        match fit(budget, &candidate.revision, plan.accepted.len(), arena_left) {
            Ok(taken) => {
                arena_left -= taken;
                plan.accepted.push(Entry { run: !candidate.suspend, candidate });
            }
            Err((reason, needed, available)) => {
                plan.refused.push(Refusal { candidate, reason, needed, available });
            }
        }
    }
    plan
}

/// Bytes that the revision takes of what is left of the arena, or why it is not taken.
fn fit(
    budget: &Budget,
    revision: &Revision,
    guests: usize,
    arena_left: u64,
) -> Result<u64, (GuestReason, u64, u64)> {
    let needed = u64::from(revision.arena_bytes).next_multiple_of(ARENA_ALIGN_BYTES);
    if revision.image_format != budget.image_format {
        let (needed, known) = (revision.image_format.into(), budget.image_format.into());
        return Err((GuestReason::ImageFormatUnsupported, needed, known));
    }
    let missing = revision.host_calls & !budget.host_calls;
    if missing != 0 {
        return Err((GuestReason::ImportRefused, missing.into(), 0));
    }
    if revision.image_bytes > budget.slot_bytes {
        let (needed, slot) = (revision.image_bytes.into(), budget.slot_bytes.into());
        return Err((GuestReason::NoImageSlot, needed, slot));
    }
    if needed > arena_left {
        return Err((GuestReason::ArenaTooSmall, needed, arena_left));
    }
    if guests >= budget.guests_max() {
        let max = budget.guests_max() as u64;
        return Err((GuestReason::TooManyGuests, max + 1, max));
    }
    Ok(needed)
}
