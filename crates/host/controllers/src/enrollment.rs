//! The Enrollment controller: says whether a token can still be used.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use serde_json::json;
use wasmbed_crds::{Enrollment, condition};
use wasmbed_model::condition::kinds;
use wasmbed_model::enrollment;

use crate::context::Context;
use crate::status::{self, ReconcileError};

/// Field manager of what this controller writes.
pub const MANAGER: &str = "wasmbed-enrollment-controller";

/// Brings one Enrollment's condition up to date: observe, plan, apply.
pub async fn reconcile(
    object: Arc<Enrollment>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let status = object.status.clone().unwrap_or_default();
    let observed = enrollment::Enrollment {
        uses_max: u64::try_from(object.spec.max_uses).unwrap_or(0),
        expires_s: object.spec.expires_at.as_ref().map(|time| time.0.as_second()),
        used_by: status.uses.iter().map(|one| one.public_key.as_str()).collect(),
    };
    let (ready, revisit_s) = enrollment::observe(&observed, ctx.now_s());
    let mut wanted = status.clone();
    wanted.observed_generation = object.metadata.generation;
    condition::set(&mut wanted.conditions, &ready, object.metadata.generation, ctx.now());
    if wanted != status {
        let own = condition::find(&wanted.conditions, kinds::READY);
        let body = json!({ "observedGeneration": wanted.observed_generation, "conditions": [own] });
        status::apply(&ctx.client, &*object, MANAGER, body).await?;
    }
    Ok(revisit_s.map_or_else(Action::await_change, |s| Action::requeue(Duration::from_secs(s))))
}
