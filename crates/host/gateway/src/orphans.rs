//! Devices that this process claimed before it was started anew, and that have not come back.
//!
//! A process that is killed and returns under its name renews the same Lease, so nobody else can
//! tell that its sessions are gone.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt as _;
use tokio_util::sync::CancellationToken;
use wasmbed_crds::{Device, condition};
use wasmbed_model::condition::kinds;

use crate::connection::Service;
use crate::status_writer;

/// Looks for such devices until `shutdown`.
pub(crate) async fn sweep(service: Arc<Service>, shutdown: CancellationToken) {
    let mut turn = tokio::time::interval(service.limits.orphan_interval);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut suspects = HashMap::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = turn.tick() => {}
        }
        if !service.cluster.is_synced() {
            continue;
        }
        let mut next = HashMap::new();
        for device in service.cluster.devices() {
            let Some(epoch) = orphaned_epoch(&service, &device) else { continue };
            // A session that begins writes its status just before it stands: only what stays so
            // for a whole turn is orphaned.
            if suspects.get(&device.name_any()) != Some(&epoch) {
                next.insert(device.name_any(), epoch);
                continue;
            }
            let disowned = status_writer::disown(&service.cluster, &device).await;
            match disowned {
                Ok(_) => tracing::info!(device = device.name_any(), "has not come back"),
                // It changed, so it is looked at again.
                Err(error) => tracing::debug!(device = device.name_any(), %error, "disown"),
            }
        }
        suspects = next;
    }
}

/// The epoch of a session that this process seems to hold and does not.
fn orphaned_epoch(service: &Service, device: &Device) -> Option<i64> {
    let status = device.status.as_ref()?;
    let is_ours = status.gateway.as_deref() == Some(&service.process)
        && condition::is_true(&status.conditions, kinds::CONNECTED);
    let live = service.registry.find(&device.name_any());
    let stands = live.is_some_and(|live| live.session().is_some());
    status.epoch.filter(|_| is_ours && !stands)
}
