//! The Application controller: prepares and signs what is asked for, and adds up what devices say.

mod attempts;
mod prepare;

use std::sync::Arc;
use std::time::Duration;

use kube::api::DeleteParams;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::json;
use wasmbed_crds::application::{BoardFit, Counts};
use wasmbed_crds::desired::Wish;
use wasmbed_crds::{
    Application, ApplicationRevision, ApplicationStatus, Device, condition, desired,
};
use wasmbed_model::application::{self, DeviceView, GuestView, Tally};
use wasmbed_model::condition::{Observation, Verdict, kinds, reasons};
use wasmbed_model::desired::Revision;

pub use attempts::Attempts;

use crate::context::Context;
use crate::limits;
use crate::status::{self, ReconcileError};

/// Field manager of what this controller writes.
pub const MANAGER: &str = "wasmbed-application-controller";

/// What became of preparing.
pub struct Prepared {
    /// The condition `Prepared`.
    pub observation: Observation,
    /// The revision that devices are brought to, in the words of the API.
    pub target: Option<Arc<ApplicationRevision>>,
    /// When to try again.
    pub revisit: Option<Duration>,
}

/// Brings one Application closer to its spec: observe, plan, apply.
pub async fn reconcile(app: Arc<Application>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let uid = app.uid().unwrap_or_default();
    if app.metadata.deletion_timestamp.is_some() {
        // Gateways leave it out of every desired set from now on; its revisions go with it.
        return Ok(Action::await_change());
    }
    let observed = app.status.as_ref().and_then(|status| status.observed_generation);
    if observed == app.metadata.generation
        && let Some(left) = ctx.attempts.wait_to_write(&uid, (ctx.clock)(), limits::STATUS_PAUSE)
    {
        // Nothing that people asked for: devices reporting one after the other.
        return Ok(Action::requeue(left));
    }
    let prepared = prepare::prepare(&app, &uid, &ctx).await?;
    let target = prepared.target.as_deref().and_then(desired::revision);
    let wish = Wish::of(&app);
    let devices = match &wish {
        Ok(wish) => ctx.caches.devices.state_filter(|device| wish.covers(device)),
        Err(_) => Vec::new(),
    };
    let views: Vec<_> = devices.iter().map(|device| view(device, &uid)).collect();
    let tally = application::tally(&views, target.as_ref());
    write_status(&app, &prepared.observation, target.as_ref(), &tally, &ctx).await?;
    remove_surplus(&app, &uid, target.as_ref(), &ctx).await?;
    Ok(prepared.revisit.map_or_else(Action::await_change, Action::requeue))
}

/// What planning needs to know of a device.
fn view<'a>(device: &'a Device, uid: &str) -> DeviceView<'a> {
    let status = device.status.as_ref();
    let guest = status.and_then(|status| status.applications.iter().find(|one| one.uid == uid));
    DeviceView {
        name: device.metadata.name.as_deref().unwrap_or_default(),
        board: &device.spec.board,
        connected: status.map_or(Verdict::Unknown, |status| {
            condition::verdict(&status.conditions, kinds::CONNECTED)
        }),
        budget: status.and_then(desired::budget),
        guest: guest.and_then(|guest| {
            Some(GuestView {
                generation: guest.generation.try_into().ok()?,
                state: &guest.state,
                reason: &guest.reason,
                message: guest.message.as_deref().unwrap_or_default(),
            })
        }),
    }
}

async fn write_status(
    app: &Application,
    prepared: &Observation,
    target: Option<&Revision>,
    tally: &Tally,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let old = app.status.clone().unwrap_or_default();
    let mut new = planned_status(&old, target, tally);
    let generation = app.metadata.generation;
    new.observed_generation = generation;
    let [available, mut ready] = application::conditions(prepared, app.spec.suspend, tally);
    if let Err(error) = Wish::of(app) {
        ready = Observation::fails(kinds::READY, reasons::SELECTOR_INVALID, error.to_string());
    }
    for observation in [prepared, &available, &ready] {
        condition::set(&mut new.conditions, observation, generation, ctx.now());
    }
    if new == old {
        return Ok(());
    }
    status::apply(&ctx.client, app, MANAGER, json!(new)).await?;
    ctx.attempts.wrote(&app.uid().unwrap_or_default(), (ctx.clock)());
    announce(app, &old, prepared, &ready, ctx).await;
    Ok(())
}

/// The status without its conditions.
fn planned_status(
    old: &ApplicationStatus,
    target: Option<&Revision>,
    tally: &Tally,
) -> ApplicationStatus {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = tally.counts;
    let everywhere = counts.matched > 0 && counts.installed == counts.matched;
    let name = target.map(|target| target.name.clone());
    let fit = tally.fit.iter().map(|(board, fit)| BoardFit {
        board: board.clone(),
        fits: fit.fits,
        devices: count(fit.devices),
        needed_arena_bytes: target.map_or(0, |target| target.arena_bytes.into()),
        arena_bytes: fit.budget.arena_bytes.into(),
        needed_slot_bytes: target.map_or(0, |target| target.image_bytes.into()),
        slot_bytes: fit.budget.slot_bytes.into(),
    });
    ApplicationStatus {
        counts: Counts {
            matched: count(counts.matched),
            installed: count(counts.installed),
            running: count(counts.running),
            failed: count(counts.failed),
            refused: count(counts.refused),
        },
        current_revision: if everywhere { name.clone() } else { old.current_revision.clone() },
        target_revision: name,
        fit: fit.take(wasmbed_crds::limits::FIT_BOARDS_MAX).collect(),
        conditions: old.conditions.clone(),
        observed_generation: old.observed_generation,
    }
}

/// Publishes what people want to be told: a preparation or a readiness that changed for a reason.
async fn announce(
    app: &Application,
    old: &ApplicationStatus,
    prepared: &Observation,
    ready: &Observation,
    ctx: &Context,
) {
    let changed = |now: &Observation| {
        let before = condition::find(&old.conditions, now.kind);
        before.is_none_or(|before| before.reason != now.reason || before.message != now.message)
    };
    if prepared.verdict == Verdict::False && changed(prepared) {
        ctx.publish(app, true, prepared.reason, "Prepare", &prepared.message).await;
    } else if prepared.verdict == Verdict::True && changed(prepared) {
        ctx.publish(app, false, prepared.reason, "Prepare", &prepared.message).await;
    }
    let troubles = [reasons::GUEST_FAILED, reasons::REFUSED, reasons::DOES_NOT_FIT];
    if troubles.contains(&ready.reason) && changed(ready) {
        ctx.publish(app, true, ready.reason, "Observe", &ready.message).await;
    }
    if ready.reason == reasons::ALL_RUNNING && changed(ready) {
        ctx.publish(app, false, ready.reason, "Observe", &ready.message).await;
    }
}

/// Deletes revisions that are neither in use nor among the newest.
async fn remove_surplus(
    app: &Application,
    uid: &str,
    target: Option<&Revision>,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let revisions = prepare::revisions(app, uid, ctx);
    if revisions.len() <= limits::REVISIONS_KEPT {
        return Ok(());
    }
    let named: Vec<_> = revisions
        .iter()
        .filter_map(|one| Some((one.metadata.name.as_deref()?, one.spec.generation as u64)))
        .collect();
    let current = app.status.as_ref().and_then(|status| status.current_revision.as_deref());
    let in_use: Vec<_> =
        current.into_iter().chain(target.map(|target| target.name.as_str())).collect();
    let namespace = app.namespace().unwrap_or_default();
    let api: Api<ApplicationRevision> = Api::namespaced(ctx.client.clone(), &namespace);
    for name in application::surplus_revisions(&named, &in_use, limits::REVISIONS_KEPT) {
        match api.delete(name, &DeleteParams::background()).await {
            Err(error) if status::is_code(&error, 404) => {}
            deleted => {
                deleted.map_err(ReconcileError::api("delete the revision", name))?;
            }
        }
    }
    Ok(())
}
