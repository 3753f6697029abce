//! The Device controller: sums up what gateways report, and speaks for gateways that are gone.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use serde_json::json;
use wasmbed_crds::{Device, DeviceStatus, condition};
use wasmbed_model::condition::{Verdict, kinds, reasons};
use wasmbed_model::device::{self, Observed, Standing};
use wasmbed_model::ids::{PublicKey, device_name};

use crate::context::Context;
use crate::leases::Presence;
use crate::status::{self, ReconcileError};

/// Field manager of what this controller writes.
pub const MANAGER: &str = "wasmbed-device-controller";

/// Brings one Device's conditions up to date: observe, plan, apply.
pub async fn reconcile(device: Arc<Device>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let name = device.name_any();
    let status = device.status.clone().unwrap_or_default();
    let key_name = key_name(&device.spec.public_key);
    let (gateway_alive, action) = gateway_alive(&device, &status, &ctx);
    let conditions = device::observe(&Observed {
        name: &name,
        key_name: key_name.as_deref(),
        enabled: device.spec.enabled,
        had_session: status.epoch.is_some(),
        connected: standing(&status),
        gateway: status.gateway.as_deref(),
        gateway_alive,
    });
    let mut wanted = status.clone();
    wanted.observed_generation = device.metadata.generation;
    for observation in conditions.iter() {
        let generation = device.metadata.generation;
        condition::set(&mut wanted.conditions, observation, generation, ctx.now());
    }
    if wanted == status {
        return Ok(action);
    }
    // Other conditions belong to other writers: only our own are applied.
    let own = |kind: &str| conditions.iter().any(|observation| observation.kind == kind);
    let list: Vec<_> = wanted.conditions.iter().filter(|one| own(&one.type_)).collect();
    let body = json!({ "observedGeneration": wanted.observed_generation, "conditions": list });
    status::apply(&ctx.client, &*device, MANAGER, body).await?;
    if let Some(lost) = &conditions.connected
        && lost.reason == reasons::GATEWAY_LOST
        && condition::verdict(&status.conditions, kinds::CONNECTED) == Verdict::True
    {
        ctx.publish(&*device, true, lost.reason, "WatchLease", &lost.message).await;
    }
    Ok(action)
}

/// Whether the gateway process of the Device is alive, and when to look again.
fn gateway_alive(device: &Device, status: &DeviceStatus, ctx: &Context) -> (bool, Action) {
    let namespace = device.namespace().unwrap_or_default();
    let connected = condition::is_true(&status.conditions, kinds::CONNECTED);
    let Some(gateway) = status.gateway.as_deref().filter(|_| connected) else {
        return (true, Action::await_change());
    };
    match ctx.leases.presence(&namespace, gateway) {
        Presence::Alive => (true, Action::await_change()),
        Presence::Dead => (false, Action::await_change()),
        Presence::Unsure(left) => (true, Action::requeue(left)),
    }
}

fn standing(status: &DeviceStatus) -> Option<Standing<'_>> {
    let connected = condition::find(&status.conditions, kinds::CONNECTED)?;
    Some(Standing {
        verdict: Verdict::parse(&connected.status),
        reason: &connected.reason,
        message: &connected.message,
    })
}

/// Name that the public key demands.
fn key_name(public_key: &str) -> Option<String> {
    let bytes = STANDARD.decode(public_key).ok()?;
    Some(device_name(&PublicKey(bytes.try_into().ok()?)))
}
