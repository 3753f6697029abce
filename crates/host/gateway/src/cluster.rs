//! What this gateway sees of its namespace: caches kept by watches, and the clients to write with.
//!
//! It decides nothing: `admission` decides about keys, `desired` about applications.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use wasmbed_crds::watching::WatchBackoff;
use wasmbed_crds::{Application, ApplicationRevision, Device, Enrollment, Gateway};

use crate::desired::Plan;
use crate::metrics::Metrics;
use crate::registry::{Registry, lock};

/// Caches and clients of one namespace.
pub(crate) struct Cluster {
    pub(crate) namespace: String,
    pub(crate) gateway_name: String,
    client: Client,
    devices: Store<Device>,
    applications: Store<Application>,
    revisions: Store<ApplicationRevision>,
    enrollments: Store<Enrollment>,
    gateways: Store<Gateway>,
    synced: watch::Sender<bool>,
    /// The gateway's own object was seen or has changed.
    pub(crate) gateway_changed: Notify,
    /// What follows from applications and revisions.
    plan: Mutex<Arc<Plan>>,
}

impl Cluster {
    /// Starts the watches; they end with `shutdown`.
    pub(crate) fn start(
        client: Client,
        namespace: &str,
        gateway_name: &str,
        registry: &Arc<Registry>,
        metrics: &Arc<Metrics>,
        shutdown: &CancellationToken,
    ) -> Arc<Self> {
        let (devices, devices_writer) = reflector::store();
        let (applications, applications_writer) = reflector::store();
        let (revisions, revisions_writer) = reflector::store();
        let (enrollments, enrollments_writer) = reflector::store();
        let (gateways, gateways_writer) = reflector::store();
        let cluster = Arc::new(Self {
            namespace: namespace.to_owned(),
            gateway_name: gateway_name.to_owned(),
            client,
            devices,
            applications,
            revisions,
            enrollments,
            gateways,
            synced: watch::Sender::new(false),
            gateway_changed: Notify::new(),
            plan: Mutex::default(),
        });
        let watches = Watches { metrics, shutdown };
        let everything = watcher::Config::default();
        let own = everything.clone().fields(&format!("metadata.name={gateway_name}"));
        let for_devices = Arc::clone(registry);
        watches.watch(cluster.api(), everything.clone(), devices_writer, move |event| {
            review_device(&for_devices, event);
        });
        let changed = cluster.plan_changes(registry);
        watches.watch(cluster.api(), everything.clone(), applications_writer, move |event| {
            changed(settled(event));
        });
        let changed = cluster.plan_changes(registry);
        watches.watch(cluster.api(), everything.clone(), revisions_writer, move |event| {
            changed(settled(event));
        });
        watches.watch(cluster.api(), everything, enrollments_writer, |_| {});
        let (seen, for_spec) = (Arc::clone(&cluster), Arc::clone(registry));
        let generation = AtomicI64::new(0);
        watches.watch(cluster.api(), own, gateways_writer, move |event| {
            seen.gateway_changed.notify_one();
            let Event::Apply(gateway) = event else { return };
            let next = gateway.metadata.generation.unwrap_or_default();
            // The heartbeat timeout of its spec concerns every session; its status does not.
            if generation.swap(next, Ordering::Relaxed) != next {
                for_spec.review_all();
            }
        });
        tokio::spawn(sync(Arc::clone(&cluster), Arc::clone(registry), shutdown.clone()));
        cluster
    }

    /// A function that makes the plan anew, and has all sessions look again if it became another.
    fn plan_changes(self: &Arc<Self>, registry: &Arc<Registry>) -> impl Fn(bool) + Send + use<> {
        let (cluster, registry) = (Arc::clone(self), Arc::clone(registry));
        move |is_settled| {
            if !is_settled {
                return;
            }
            let made = Plan::new(&cluster.applications.state(), &cluster.revisions.state());
            let mut plan = lock(&cluster.plan);
            // Most events are about counts and conditions, which concern no session.
            if **plan != made {
                *plan = Arc::new(made);
                drop(plan);
                registry.review_all();
            }
        }
    }

    /// Client of one kind in this namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Whether every cache has seen the whole of its kind. Before that nothing is decided.
    pub(crate) fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until [`Self::is_synced`].
    pub(crate) async fn synced(&self) {
        // The sender is this object itself, so it outlives the wait.
        let _ = self.synced.subscribe().wait_for(|is_synced| *is_synced).await;
    }

    /// A Device by name.
    pub(crate) fn device(&self, name: &str) -> Option<Arc<Device>> {
        self.devices.get(&ObjectRef::new(name).within(&self.namespace))
    }

    /// All Devices of the namespace.
    pub(crate) fn devices(&self) -> Vec<Arc<Device>> {
        self.devices.state()
    }

    /// Devices that wait for someone to enable them for the first time.
    pub(crate) fn pending_count(&self) -> usize {
        self.devices.state().iter().filter(|device| crate::admission::is_pending(device)).count()
    }

    /// The Enrollment with this token digest.
    pub(crate) fn enrollment(&self, token_sha256: &str) -> Option<Arc<Enrollment>> {
        self.enrollments.find(|enrollment| enrollment.spec.token_sha256 == token_sha256)
    }

    /// The object of this gateway.
    pub(crate) fn gateway(&self) -> Option<Arc<Gateway>> {
        self.gateways.get(&ObjectRef::new(&self.gateway_name).within(&self.namespace))
    }

    /// Sessions that this process takes, by the Gateway's spec where there is one.
    pub(crate) fn sessions_max(&self, connections_max: usize) -> usize {
        let spec = self.gateway().map(|gateway| gateway.spec.sessions_max);
        let spec = spec.and_then(|sessions| usize::try_from(sessions).ok());
        spec.map_or(connections_max, |sessions| sessions.min(connections_max))
    }

    /// What follows from the applications and revisions as they are now.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&lock(&self.plan))
    }
}

async fn sync(cluster: Arc<Cluster>, registry: Arc<Registry>, shutdown: CancellationToken) {
    let ready = async {
        // A store is lost only with its watch, and that ends only with the gateway.
        cluster.devices.wait_until_ready().await.is_ok()
            && cluster.applications.wait_until_ready().await.is_ok()
            && cluster.revisions.wait_until_ready().await.is_ok()
            && cluster.enrollments.wait_until_ready().await.is_ok()
            && cluster.gateways.wait_until_ready().await.is_ok()
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        is_ready = ready => if is_ready {
            cluster.synced.send_replace(true);
            tracing::info!(namespace = cluster.namespace, "caches are synced");
            registry.review_all();
        }
    }
}

/// Whether an event changed what the cache shows.
fn settled<K>(event: &Event<K>) -> bool {
    // The objects of a listing show only once it is complete.
    matches!(event, Event::Apply(_) | Event::Delete(_) | Event::InitDone)
}

fn review_device(registry: &Registry, event: &Event<Device>) {
    match event {
        Event::Apply(device) => registry.review(&device.name_any()),
        Event::Delete(device) => registry.forget(&device.name_any()),
        Event::InitDone => registry.review_all(),
        Event::Init | Event::InitApply(_) => {}
    }
}

struct Watches<'a> {
    metrics: &'a Arc<Metrics>,
    shutdown: &'a CancellationToken,
}

impl Watches<'_> {
    fn watch<K>(
        &self,
        api: Api<K>,
        config: watcher::Config,
        writer: reflector::store::Writer<K>,
        on_event: impl Fn(&Event<K>) + Send + 'static,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (shutdown, metrics) = (self.shutdown.clone(), Arc::clone(self.metrics));
        let stream = watcher::watcher(api, config)
            .backoff(WatchBackoff::default())
            // Nobody here reads who set which field, and it is the larger part of an object.
            .modify(|object| object.meta_mut().managed_fields = None)
            .reflect(writer);
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            loop {
                let event = tokio::select! {
                    () = shutdown.cancelled() => return,
                    event = stream.next() => event,
                };
                match event {
                    Some(Ok(event)) => on_event(&event),
                    Some(Err(error)) => {
                        metrics.watch_errors.inc();
                        let kind = K::kind(&());
                        tracing::warn!(%kind, %error, "watch");
                    }
                    None => return,
                }
            }
        });
    }
}
