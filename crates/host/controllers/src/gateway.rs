//! The Gateway controller: adds up its processes, and warns before a certificate ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use serde_json::json;
use wasmbed_crds::gateway::GatewayReplica;
use wasmbed_crds::{Gateway, condition};
use wasmbed_model::condition::{kinds, reasons};
use wasmbed_model::gateway::{self, Observed, Replica};

use crate::context::Context;
use crate::leases::Presence;
use crate::status::{self, ReconcileError};

/// Field manager of what this controller writes.
pub const MANAGER: &str = "wasmbed-gateway-controller";

/// Brings one Gateway's status up to date: observe, plan, apply.
pub async fn reconcile(object: Arc<Gateway>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let status = object.status.clone().unwrap_or_default();
    let namespace = object.namespace().unwrap_or_default();
    let (mut replicas, mut unsure) = (Vec::new(), None::<Duration>);
    for replica in &status.replicas {
        let presence = ctx.leases.presence(&namespace, &replica.name);
        if let Presence::Unsure(left) = presence {
            unsure = Some(unsure.map_or(left, |other| other.min(left)));
        }
        replicas.push(view(replica, presence));
    }
    let pairing = object.spec.pairing.as_ref().and_then(|pairing| pairing.until.as_ref());
    let pairing_until_s = pairing.map(|time| time.0.as_second());
    let plan = gateway::observe(&Observed { replicas, pairing_until_s }, ctx.now_s());

    let mut wanted = status.clone();
    let generation = object.metadata.generation;
    wanted.observed_generation = generation;
    wanted.connected = Some(plan.connected);
    wanted.capacity = Some(plan.capacity);
    let not_after = plan.certificate_not_after_s.and_then(|s| Timestamp::from_second(s).ok());
    wanted.certificate_not_after = not_after.map(Time);
    for observation in &plan.conditions {
        condition::set(&mut wanted.conditions, observation, generation, ctx.now());
    }
    if wanted != status {
        let mut body = json!({
            "observedGeneration": wanted.observed_generation,
            "conditions": wanted.conditions,
            "connected": wanted.connected,
            "capacity": wanted.capacity,
        });
        if let Some(end) = &wanted.certificate_not_after {
            body["certificateNotAfter"] = json!(end);
        }
        status::apply(&ctx.client, &*object, MANAGER, body).await?;
        warn_about_certificate(&object, &wanted.conditions, &ctx).await;
    }
    let revisit = plan.revisit_s.map(Duration::from_secs);
    let next = [revisit, unsure].into_iter().flatten().min();
    Ok(next.map_or_else(Action::await_change, Action::requeue))
}

fn view(replica: &GatewayReplica, presence: Presence) -> Replica {
    Replica {
        alive: presence != Presence::Dead,
        connected: replica.connected,
        capacity: replica.capacity,
        certificate_not_after_s: replica.certificate_not_after.as_ref().map(|t| t.0.as_second()),
    }
}

/// One Event each time the certificate's condition turns to the worse.
async fn warn_about_certificate(
    object: &Gateway,
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    ctx: &Context,
) {
    let before = object.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let before = condition::find(before, kinds::CERTIFICATE_VALID).map(|one| &one.reason);
    let Some(now) = condition::find(conditions, kinds::CERTIFICATE_VALID) else { return };
    let worse = [reasons::CERTIFICATE_EXPIRING, reasons::CERTIFICATE_EXPIRED];
    if before != Some(&now.reason) && worse.contains(&now.reason.as_str()) {
        ctx.publish(object, true, &now.reason, "CheckCertificate", &now.message).await;
    }
}
