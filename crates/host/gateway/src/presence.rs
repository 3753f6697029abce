//! How the cluster learns that this process lives: its Lease, and its entry in the Gateway's status.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use tokio_util::sync::CancellationToken;
use wasmbed_crds::gateway::GatewayReplica;
use wasmbed_crds::{Gateway, LABEL_GATEWAY};

use crate::connection::Service;
use crate::limits;

/// What does not change while the process runs.
pub(crate) struct Presence {
    pub(crate) service: Arc<Service>,
    pub(crate) live_address: Option<String>,
    pub(crate) device_address: String,
    /// When the leaf that devices see ends.
    pub(crate) certificate_not_after: Box<dyn Fn() -> Option<Timestamp> + Send + Sync>,
}

impl Presence {
    fn manager(&self) -> String {
        format!("wasmbed-gateway-{}", self.service.process)
    }

    /// Renews the Lease and keeps the entry true, until `shutdown`.
    pub(crate) async fn keep(&self, shutdown: CancellationToken) {
        let acquired = Timestamp::now();
        let mut lease_turn = tokio::time::interval(self.service.limits.lease_interval);
        let mut entry_turn = tokio::time::interval(limits::REPLICA_INTERVAL);
        lease_turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        entry_turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut written = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = lease_turn.tick() => {
                    if let Err(error) = self.renew(acquired).await {
                        self.service.metrics.lease_errors.inc();
                        tracing::warn!(%error, "renew the lease");
                    }
                }
                _ = entry_turn.tick() => self.compare(&mut written).await,
                () = self.service.cluster.gateway_changed.notified() => {
                    self.compare(&mut written).await;
                }
            }
        }
    }

    /// Writes the entry if it is new, or missing from the Gateway's object.
    async fn compare(&self, written: &mut Option<GatewayReplica>) {
        let entry = self.entry();
        if self.service.cluster.gateway().is_none()
            || (written.as_ref() == Some(&entry) && self.is_entered())
        {
            return;
        }
        match self.enter(vec![entry.clone()]).await {
            Ok(()) => *written = Some(entry),
            Err(error) => tracing::warn!(%error, "write the gateway's status"),
        }
    }

    /// Takes Lease and entry back: the process stops in order.
    pub(crate) async fn leave(&self) {
        if let Err(error) = self.enter(Vec::new()).await {
            tracing::warn!(%error, "leave the gateway's status");
        }
        let leases: Api<Lease> = self.service.cluster.api();
        if let Err(error) = leases.delete(&self.service.process, &DeleteParams::default()).await {
            tracing::warn!(%error, "delete the lease");
        }
    }

    async fn renew(&self, acquired: Timestamp) -> Result<(), kube::Error> {
        let limits = &self.service.limits;
        let patch = serde_json::json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.service.process,
                "labels": {
                    "app.kubernetes.io/name": "wasmbed",
                    "app.kubernetes.io/component": "gateway",
                    LABEL_GATEWAY: self.service.cluster.gateway_name,
                },
            },
            "spec": {
                "holderIdentity": self.service.process,
                "leaseDurationSeconds": limits.lease_duration.as_secs(),
                "acquireTime": micro_time(acquired),
                "renewTime": micro_time(Timestamp::now()),
            },
        });
        let leases: Api<Lease> = self.service.cluster.api();
        let params = PatchParams::apply(&self.manager()).force();
        leases.patch(&self.service.process, &params, &Patch::Apply(patch)).await.map(drop)
    }

    fn entry(&self) -> GatewayReplica {
        let service = &self.service;
        let sessions_max = service.cluster.sessions_max(service.limits.connections_max);
        GatewayReplica {
            name: service.process.clone(),
            address: self.live_address.clone(),
            listen_address: Some(self.device_address.clone()),
            capacity: i64::try_from(sessions_max).unwrap_or(i64::MAX),
            connected: i64::try_from(service.registry.session_count()).unwrap_or(i64::MAX),
            certificate_not_after: (self.certificate_not_after)().map(Time),
        }
    }

    /// Whether the Gateway's object shows this process; there is nothing to do without an object.
    fn is_entered(&self) -> bool {
        self.service.cluster.gateway().is_none_or(|gateway| {
            let replicas = gateway.status.as_ref().map_or(&[][..], |status| &status.replicas);
            replicas.iter().any(|replica| replica.name == self.service.process)
        })
    }

    async fn enter(&self, replicas: Vec<GatewayReplica>) -> Result<(), kube::Error> {
        let cluster = &self.service.cluster;
        if cluster.gateway().is_none() {
            return Ok(());
        }
        let patch = serde_json::json!({
            "apiVersion": "wasmbed.github.io/v1alpha1",
            "kind": "Gateway",
            "metadata": { "name": cluster.gateway_name },
            "status": { "replicas": replicas },
        });
        let gateways: Api<Gateway> = cluster.api();
        let params = PatchParams::apply(&self.manager()).force();
        gateways.patch_status(&cluster.gateway_name, &params, &Patch::Apply(patch)).await.map(drop)
    }
}

/// As `MicroTime` is written: always with six digits.
fn micro_time(at: Timestamp) -> String {
    format!("{at:.6}")
}
