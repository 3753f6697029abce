//! Which gateway processes are alive, by their Leases.
//!
//! A Lease is renewed every few seconds; devices and Gateways are told only when that stops or
//! starts again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;
use wasmbed_crds::{Device, Gateway};

use crate::limits;
use crate::watches::Queues;

#[cfg(test)]
mod tests;

/// Namespace and name of a Lease.
type Key = (String, String);

/// What is known of a gateway process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It renews its Lease.
    Alive,
    /// It does not.
    Dead,
    /// It has no Lease that we know of; ask again after this time.
    Unsure(Duration),
}

/// Which gateway processes are alive.
#[derive(Clone)]
pub struct Leases {
    store: Store<Lease>,
    missing: Arc<Mutex<HashMap<Key, Timestamp>>>,
    clock: fn() -> Timestamp,
}

impl Leases {
    /// Nothing is alive before the cache says so.
    pub fn new(store: Store<Lease>, clock: fn() -> Timestamp) -> Self {
        Self { store, missing: Arc::default(), clock }
    }

    /// What is known of the process of this name.
    pub fn presence(&self, namespace: &str, name: &str) -> Presence {
        let now = (self.clock)();
        let lease = self.store.get(&ObjectRef::new(name).within(namespace));
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(lease) = lease {
            missing.remove(&key);
            let alive = time_left(&lease, now).is_some();
            return if alive { Presence::Alive } else { Presence::Dead };
        }
        let since = *missing.entry(key).or_insert(now);
        let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        match limits::LEASE_GRACE.checked_sub(waited) {
            Some(left) if !left.is_zero() => Presence::Unsure(left),
            _ => Presence::Dead,
        }
    }

    /// Tells the devices and Gateways of a process whenever it comes or goes. Runs until the queue
    /// of changed Leases is closed.
    pub async fn follow(
        self,
        mut changed: mpsc::Receiver<ObjectRef<Lease>>,
        devices: Store<Device>,
        gateways: Store<Gateway>,
        queues: Queues,
    ) {
        let mut alive = HashMap::<Key, bool>::new();
        loop {
            let now = (self.clock)();
            let mut next = None;
            let mut seen = HashMap::new();
            for lease in self.store.state() {
                let key = (lease.namespace().unwrap_or_default(), lease.name_any());
                let left = time_left(&lease, now);
                next = [next, left].into_iter().flatten().min();
                seen.insert(key, left.is_some());
            }
            let gone = alive.keys().filter(|key| !seen.contains_key(*key));
            let flipped = seen.iter().filter(|(key, now)| alive.get(*key) != Some(*now));
            let mut told: Vec<Key> = gone.chain(flipped.map(|(key, _)| key)).cloned().collect();
            told.sort();
            for key in &told {
                tracing::debug!(
                    namespace = key.0,
                    process = key.1,
                    "a gateway's Lease came or went"
                );
                tell(key, &devices, &gateways, &queues).await;
            }
            alive = seen;
            // A moment past its end, so that it has ended for sure.
            let pause =
                next.map_or(Duration::from_secs(3600), |left| left + Duration::from_millis(10));
            tokio::select! {
                request = changed.recv() => match request {
                    Some(_) => while changed.try_recv().is_ok() {},
                    None => return,
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Puts everything that depends on the process into its queue, devices at a steady pace.
async fn tell(key: &Key, devices: &Store<Device>, gateways: &Store<Gateway>, queues: &Queues) {
    let (namespace, process) = key;
    for gateway in gateways.state_filter(|gateway| gateway.namespace().as_ref() == Some(namespace))
    {
        let _ = queues.gateways.send(ObjectRef::from_obj(&*gateway)).await;
    }
    let mut pace = tokio::time::interval(Duration::from_secs(1) / limits::LOST_DEVICES_PER_SECOND);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let concerned = devices.state_filter(|device| {
        let gateway = device.status.as_ref().and_then(|status| status.gateway.as_ref());
        device.meta().namespace.as_ref() == Some(namespace) && gateway == Some(process)
    });
    for device in concerned {
        pace.tick().await;
        let _ = queues.devices.send(ObjectRef::from_obj(&*device)).await;
    }
}

/// Time until the Lease ends, or nothing if it has.
fn time_left(lease: &Lease, now: Timestamp) -> Option<Duration> {
    let spec = lease.spec.as_ref()?;
    let renewed = spec.renew_time.as_ref()?.0;
    let lasts = Duration::from_secs(u64::try_from(spec.lease_duration_seconds?).ok()?);
    let age = now.duration_since(renewed);
    // A clock ahead of ours: renewed just now.
    let age = Duration::try_from(age).unwrap_or_default();
    lasts.checked_sub(age).filter(|left| !left.is_zero())
}
