//! From resources to `model::desired`: which applications want a device, and in which revision.

use std::borrow::Borrow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::core::{ParseExpressionError, Selector, SelectorExt};
use wasmbed_model::desired::{self, Budget, Candidate, Plan, Revision};
use wasmbed_model::host_interface;
use wasmbed_model::ids;

use crate::{Application, ApplicationRevision, Device, DeviceStatus};

#[cfg(test)]
mod tests;

/// What `device` shall hold, or nothing before it has said what fits on it.
///
/// `applications` may hold all of the namespace; `revision` finds an ApplicationRevision by name.
pub fn for_device<'a, R>(
    device: &Device,
    applications: impl IntoIterator<Item = &'a Application>,
    revision: impl Fn(&str) -> Option<R>,
) -> Option<Plan>
where
    R: Borrow<ApplicationRevision>,
{
    let budget = device.status.as_ref().and_then(budget)?;
    let candidates = applications
        .into_iter()
        .filter(|application| selects(application, device))
        .filter_map(|application| {
            let target = application.status.as_ref()?.target_revision.as_deref()?;
            candidate(application, revision(target)?.borrow())
        })
        .collect();
    Some(desired::plan(&budget, candidates))
}

/// Whether the Application wants the device. One that is being deleted wants none.
pub fn selects(application: &Application, device: &Device) -> bool {
    Wish::of(application).is_ok_and(|wish| wish.covers(device))
}

/// Which devices an Application wants, made ready to be asked about many.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    application: &'a Application,
    selector: Selector,
}

impl<'a> Wish<'a> {
    /// Reads the selector.
    ///
    /// # Errors
    /// The selector cannot be evaluated: such an Application wants no device.
    pub fn of(application: &'a Application) -> Result<Self, ParseExpressionError> {
        let selector = Selector::try_from(application.spec.selector.clone())?;
        Ok(Self { application, selector })
    }

    /// Whether the Application wants the device.
    pub fn covers(&self, device: &Device) -> bool {
        let application = &self.application.metadata;
        application.deletion_timestamp.is_none()
            && device.spec.enabled
            && device.metadata.namespace == application.namespace
            && self.selector.matches(device.labels())
    }
}

/// The application with this revision as a candidate for a device; nothing if the revision belongs
/// to another application or cannot be read.
pub fn candidate(application: &Application, revision: &ApplicationRevision) -> Option<Candidate> {
    let uid = application.uid()?;
    if revision.spec.application_ref.uid != uid {
        return None;
    }
    Some(Candidate {
        app: ids::parse_uid(&uid)?,
        name: application.name_any(),
        created_s: application.creation_timestamp().map_or(0, |Time(time)| time.as_second()),
        priority: application.spec.priority,
        suspend: application.spec.suspend,
        restart_token: restart_token(application.spec.restarted_at.as_ref()),
        revision: self::revision(revision)?,
    })
}

/// What planning needs to know of a revision; nothing if it cannot be read.
pub fn revision(revision: &ApplicationRevision) -> Option<Revision> {
    let spec = &revision.spec;
    Some(Revision {
        name: revision.name_any(),
        generation: spec.generation.try_into().ok()?,
        image: ids::parse_digest(&spec.image_digest)?,
        image_bytes: spec.image_bytes.try_into().ok()?,
        image_format: spec.image_format.try_into().ok()?,
        arena_bytes: spec.needs.arena_bytes.try_into().ok()?,
        host_calls: {
            let mut names = spec.host_interface.iter();
            names.try_fold(0, |bits, name| Some(bits | host_interface::bit(name)?))?
        },
    })
}

/// What fits on a device, once it said so.
pub fn budget(status: &DeviceStatus) -> Option<Budget> {
    let budget = status.budget?;
    Some(Budget {
        arena_bytes: budget.arena_bytes.try_into().ok()?,
        slot_bytes: budget.slot_bytes.try_into().ok()?,
        slots: budget.slots.try_into().ok()?,
        guests: budget.guests.try_into().ok()?,
        image_format: status.image_format?.try_into().ok()?,
        // A firmware that does not say lacks nothing; the device has the last word.
        host_calls: status.host_interface.as_ref().map_or(u32::MAX, |names| {
            let known = names.iter().filter_map(|name| host_interface::bit(name));
            known.fold(0, |bits, bit| bits | bit)
        }),
    })
}

/// A number that changes when `restartedAt` does: its Unix time; 0 without one.
fn restart_token(restarted_at: Option<&Time>) -> u32 {
    // The lower half suffices: two times are never 136 years apart.
    restarted_at.map_or(0, |Time(time)| time.as_second() as u32)
}
