//! Writes Device status: only what changed, one write per device at a time, the newest facts only.
//!
//! Every write is conditional on the object it was derived from, and so on the session's epoch: a
//! process that lost a device to a newer session cannot speak for it any more.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wasmbed_crds::{Device, DeviceStatus, condition};
use wasmbed_model::condition::{Observation, kinds, reasons};
use wasmbed_model::session::{Claim, claim};

use crate::cluster::Cluster;
use crate::device_status::Facts;
use crate::limits;
use crate::metrics::Metrics;
use crate::registry::{LiveDevice, Registry, lock};
use crate::session::EndReason;

/// Field manager of Device status.
pub(crate) const FIELD_MANAGER: &str = "wasmbed-gateway";

/// Writes `facts` over the status of `device`, if nobody has changed that object since.
///
/// # Errors
/// A conflict (409) if somebody has.
pub(crate) async fn apply(
    cluster: &Cluster,
    process: &str,
    device: &Device,
    facts: &Facts,
) -> Result<Device, kube::Error> {
    let plan = cluster.plan();
    let status = facts.render(
        process,
        &|app| plan.name_of(app).map(str::to_owned),
        device.status.as_ref(),
        device.metadata.generation,
        Timestamp::now(),
    );
    patch(cluster, device, &status).await
}

/// Says of a device that the session its status names is gone, and leaves the rest as it is.
///
/// # Errors
/// A conflict (409) if somebody has changed the object since.
pub(crate) async fn disown(cluster: &Cluster, device: &Device) -> Result<Device, kube::Error> {
    let mut status = device.status.clone().unwrap_or_default();
    let lost = Observation::unknown(
        kinds::CONNECTED,
        reasons::GATEWAY_LOST,
        "the gateway was started anew, and the device has not come back",
    );
    status.conditions.retain(|condition| condition.type_ == kinds::CONNECTED);
    let generation = device.metadata.generation;
    condition::set(&mut status.conditions, &lost, generation, Time(Timestamp::now()));
    // The device controller's.
    status.observed_generation = None;
    patch(cluster, device, &status).await
}

async fn patch(
    cluster: &Cluster,
    device: &Device,
    status: &DeviceStatus,
) -> Result<Device, kube::Error> {
    let name = device.name_any();
    let patch = serde_json::json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Device",
        "metadata": { "name": name, "resourceVersion": device.metadata.resource_version },
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let devices: Api<Device> = cluster.api();
    let mut written = devices.patch_status(&name, &params, &Patch::Apply(patch)).await?;
    written.metadata.managed_fields = None;
    Ok(written)
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<String>,
    /// Every device that waits or is being written.
    known: HashMap<String, State>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Waiting,
    Writing,
    WritingAndChanged,
}

/// The devices whose facts are newer than their status.
pub(crate) struct StatusWriter {
    cluster: Arc<Cluster>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    process: String,
    queue: Mutex<Queue>,
    arrived: Notify,
    emptied: Notify,
}

impl StatusWriter {
    /// Starts the workers; they end with `shutdown`.
    pub(crate) fn start(
        cluster: &Arc<Cluster>,
        registry: &Arc<Registry>,
        metrics: &Arc<Metrics>,
        process: &str,
        shutdown: &CancellationToken,
    ) -> Arc<Self> {
        let writer = Arc::new(Self {
            cluster: Arc::clone(cluster),
            registry: Arc::clone(registry),
            metrics: Arc::clone(metrics),
            process: process.to_owned(),
            queue: Mutex::default(),
            arrived: Notify::new(),
            emptied: Notify::new(),
        });
        for _ in 0..limits::STATUS_WRITES_MAX {
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(Arc::clone(&writer).work()));
        }
        writer
    }

    /// Has the facts of `device` written.
    pub(crate) fn changed(&self, device: &str) {
        {
            let mut queue = lock(&self.queue);
            match queue.known.get_mut(device) {
                Some(State::Waiting | State::WritingAndChanged) => return,
                Some(state @ State::Writing) => {
                    *state = State::WritingAndChanged;
                    return;
                }
                None => {
                    queue.known.insert(device.to_owned(), State::Waiting);
                    queue.waiting.push_back(device.to_owned());
                }
            }
        }
        self.arrived.notify_one();
    }

    /// Waits until every change is written.
    pub(crate) async fn flush(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if lock(&self.queue).known.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn next(&self) -> Option<String> {
        let mut queue = lock(&self.queue);
        let device = queue.waiting.pop_front()?;
        queue.known.insert(device.clone(), State::Writing);
        Some(device)
    }

    fn finish(&self, device: &str) {
        let mut queue = lock(&self.queue);
        if queue.known.remove(device) == Some(State::WritingAndChanged) {
            queue.known.insert(device.to_owned(), State::Waiting);
            queue.waiting.push_back(device.to_owned());
            self.arrived.notify_one();
        } else if queue.known.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    async fn work(self: Arc<Self>) {
        loop {
            let Some(name) = self.next() else {
                self.arrived.notified().await;
                continue;
            };
            // One permit wakes one worker; the next one is woken here.
            self.arrived.notify_one();
            if let Some(device) = self.registry.find(&name) {
                if !device.may_write_status() {
                    self.later(&name, limits::STATUS_PACE_DELAY);
                } else if let Err(error) = self.write(&device).await {
                    self.metrics.status_errors.inc();
                    tracing::warn!(device = name, %error, "write status");
                    self.later(&name, limits::STATUS_RETRY_DELAY);
                }
            }
            self.finish(&name);
        }
    }

    /// Has a device looked at again after a while.
    fn later(self: &Arc<Self>, device: &str, delay: Duration) {
        let (writer, device) = (Arc::clone(self), device.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            writer.changed(&device);
        });
    }

    async fn write(&self, device: &LiveDevice) -> Result<(), kube::Error> {
        let devices: Api<Device> = self.cluster.api();
        for attempt in 0..limits::STATUS_TRIES_MAX {
            let facts = lock(&device.facts).clone();
            let known = lock(&device.written).take().filter(|_| attempt == 0);
            let object = match known {
                Some(object) => object,
                None => match devices.get_opt(&device.name).await? {
                    Some(object) => Box::new(object),
                    // Deleted: its session learns that from the watch.
                    None => return Ok(()),
                },
            };
            let stored = object.status.as_ref().and_then(|status| status.epoch);
            let stored = stored.and_then(|epoch| u64::try_from(epoch).ok());
            if claim(stored, facts.epoch) == Claim::Superseded {
                self.lose(device, facts.epoch);
                return Ok(());
            }
            match apply(&self.cluster, &self.process, &object, &facts).await {
                Ok(object) => {
                    self.metrics.status_writes.inc();
                    *lock(&device.written) = Some(Box::new(object));
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    self.metrics.status_conflicts.inc();
                }
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        // Contended: the next turn starts from a fresh object again.
        self.changed(&device.name);
        Ok(())
    }

    /// A newer session of the device exists somewhere: the one here has to end.
    fn lose(&self, device: &LiveDevice, epoch: u64) {
        self.metrics.status_superseded.inc();
        if let Some(session) = device.session().filter(|session| session.epoch == epoch) {
            session.mailbox.end(EndReason::Superseded);
        }
    }
}
