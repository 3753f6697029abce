//! What the controllers know of the cluster: one watch a kind, and who is told of a change.
//!
//! A change is passed on after it is in the cache, so whoever is told sees it there.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::{PartialObjectMeta, Resource};
use kube::runtime::reflector::{Lookup, ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmbed_crds::watching::WatchBackoff;
use wasmbed_crds::{Application, ApplicationRevision, Device, Enrollment, Gateway};

use crate::limits;

/// Label of gateway Leases: others are not looked at.
pub const LEASE_SELECTOR: &str = "app.kubernetes.io/component=gateway";

/// Caches of every kind that the controllers read.
#[derive(Clone)]
pub struct Caches {
    /// Applications.
    pub applications: Store<Application>,
    /// Their revisions.
    pub revisions: Store<ApplicationRevision>,
    /// Devices.
    pub devices: Store<Device>,
    /// Gateways.
    pub gateways: Store<Gateway>,
    /// Enrollments.
    pub enrollments: Store<Enrollment>,
    /// Leases of gateway processes.
    pub leases: Store<Lease>,
}

/// Who is told to reconcile what.
#[derive(Clone)]
pub struct Queues {
    /// Applications to reconcile.
    pub applications: mpsc::Sender<ObjectRef<Application>>,
    /// Devices to reconcile.
    pub devices: mpsc::Sender<ObjectRef<Device>>,
    /// Gateways to reconcile.
    pub gateways: mpsc::Sender<ObjectRef<Gateway>>,
    /// Enrollments to reconcile.
    pub enrollments: mpsc::Sender<ObjectRef<Enrollment>>,
    /// Leases that changed.
    pub leases: mpsc::Sender<ObjectRef<Lease>>,
}

/// The other ends of [`Queues`].
pub struct Requests {
    /// Applications to reconcile.
    pub applications: mpsc::Receiver<ObjectRef<Application>>,
    /// Devices to reconcile.
    pub devices: mpsc::Receiver<ObjectRef<Device>>,
    /// Gateways to reconcile.
    pub gateways: mpsc::Receiver<ObjectRef<Gateway>>,
    /// Enrollments to reconcile.
    pub enrollments: mpsc::Receiver<ObjectRef<Enrollment>>,
    /// Leases that changed.
    pub leases: mpsc::Receiver<ObjectRef<Lease>>,
}

/// Makes the queues.
pub fn queues() -> (Queues, Requests) {
    let (applications, application_requests) = mpsc::channel(limits::QUEUE_REQUESTS_MAX);
    let (devices, device_requests) = mpsc::channel(limits::QUEUE_REQUESTS_MAX);
    let (gateways, gateway_requests) = mpsc::channel(limits::QUEUE_REQUESTS_MAX);
    let (enrollments, enrollment_requests) = mpsc::channel(limits::QUEUE_REQUESTS_MAX);
    let (leases, lease_requests) = mpsc::channel(limits::QUEUE_REQUESTS_MAX);
    let requests = Requests {
        applications: application_requests,
        devices: device_requests,
        gateways: gateway_requests,
        enrollments: enrollment_requests,
        leases: lease_requests,
    };
    (Queues { applications, devices, gateways, enrollments, leases }, requests)
}

/// Starts all watches, of one namespace or of all.
pub fn start(
    client: &Client,
    namespace: Option<&str>,
    queues: &Queues,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Caches {
    let start = Start { client, namespace, tasks, shutdown };
    let queue = queues.applications.clone();
    let applications = start.own(queue);
    let revisions = {
        let queue = queues.applications.clone();
        start.watch(watcher::Config::default(), move |revision: Arc<ApplicationRevision>| {
            let name = &revision.spec.application_ref.name;
            send(queue.clone(), vec![within(name, revision.metadata.namespace.clone())])
        })
    };
    let devices = {
        let (own, others) = (queues.devices.clone(), queues.applications.clone());
        let applications = applications.clone();
        start.watch(watcher::Config::default(), move |device: Arc<Device>| {
            let namespace = device.metadata.namespace.clone();
            let told = applications
                .state_filter(|application| application.metadata.namespace == namespace)
                .iter()
                .map(|application| ObjectRef::from_obj(&**application))
                .collect();
            let own = send(own.clone(), vec![ObjectRef::from_obj(&*device)]);
            let others = send(others.clone(), told);
            async move { tokio::join!(own, others).0 }
        })
    };
    let gateways = start.own(queues.gateways.clone());
    let enrollments = start.own(queues.enrollments.clone());
    let leases = {
        let queue = queues.leases.clone();
        start.watch(watcher::Config::default().labels(LEASE_SELECTOR), move |lease: Arc<Lease>| {
            send(queue.clone(), vec![ObjectRef::from_obj(&*lease)])
        })
    };
    start.config_maps(&applications, queues);
    Caches { applications, revisions, devices, gateways, enrollments, leases }
}

impl Caches {
    /// Waits until every cache holds what there is.
    pub async fn wait_until_ready(&self) {
        // A cache whose watch has ended is never ready: the service is shutting down then.
        let _ = tokio::join!(
            self.applications.wait_until_ready(),
            self.revisions.wait_until_ready(),
            self.devices.wait_until_ready(),
            self.gateways.wait_until_ready(),
            self.enrollments.wait_until_ready(),
            self.leases.wait_until_ready(),
        );
    }
}

/// What starting a watch takes.
struct Start<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
    tasks: &'a TaskTracker,
    shutdown: &'a CancellationToken,
}

impl Start<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// A kind whose changes are its own business only.
    fn own<K>(&self, queue: mpsc::Sender<ObjectRef<K>>) -> Store<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        self.watch(watcher::Config::default(), move |object: Arc<K>| {
            send(queue.clone(), vec![ObjectRef::from_obj(&*object)])
        })
    }

    fn watch<K, F, Told>(&self, config: watcher::Config, told: F) -> Store<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
        F: Fn(Arc<K>) -> Told + Send + 'static,
        Told: Future<Output = ()> + Send,
    {
        let stream = watcher(self.api::<K>(), config);
        self.follow(stream, told)
    }

    /// ConfigMaps: their metadata is enough to know that one changed.
    fn config_maps(&self, applications: &Store<Application>, queues: &Queues) {
        let (applications, queue) = (applications.clone(), queues.applications.clone());
        self.watch(
            watcher::Config::default(),
            move |config_map: Arc<PartialObjectMeta<ConfigMap>>| {
                let (name, namespace) =
                    (config_map.name_any(), config_map.metadata.namespace.clone());
                let told = applications.state_filter(|application| {
                    let source = application.spec.image.config_map.as_ref();
                    application.metadata.namespace == namespace
                        && source.is_some_and(|source| source.name == name)
                });
                let told = told.iter().map(|application| ObjectRef::from_obj(&**application));
                send(queue.clone(), told.collect())
            },
        );
    }

    fn follow<K, F, Told>(
        &self,
        stream: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
        told: F,
    ) -> Store<K>
    where
        K: Lookup + Clone + Send + Sync + 'static,
        K::DynamicType: Clone + Debug + Default + Eq + Hash + Send + Sync,
        F: Fn(Arc<K>) -> Told + Send + 'static,
        Told: Future<Output = ()> + Send,
    {
        let writer = Writer::<K>::default();
        let store = writer.as_reader();
        let stream = stream.backoff(WatchBackoff::default());
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = follow(stream, writer, told) => {}
            }
        });
        store
    }
}

async fn follow<K, F, Told>(
    stream: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    mut writer: Writer<K>,
    told: F,
) where
    K: Lookup + Clone + 'static,
    K::DynamicType: Clone + Debug + Eq + Hash,
    F: Fn(Arc<K>) -> Told,
    Told: Future<Output = ()>,
{
    let mut stream = std::pin::pin!(stream);
    let store = writer.as_reader();
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(kind = std::any::type_name::<K>(), %error, "watch interrupted");
                continue;
            }
        };
        match &event {
            watcher::Event::Apply(object) | watcher::Event::Delete(object) => {
                let object = Arc::new(object.clone());
                writer.apply_watcher_event(&event);
                told(object).await;
            }
            watcher::Event::InitDone => {
                // Those that went away while nobody watched are told as well.
                let before = store.state();
                writer.apply_watcher_event(&event);
                for object in before.into_iter().chain(store.state()) {
                    told(object).await;
                }
            }
            watcher::Event::Init | watcher::Event::InitApply(_) => {
                writer.apply_watcher_event(&event);
            }
        }
    }
}

/// Puts requests into a queue. A closed one belongs to a service that is shutting down.
async fn send<K: Lookup + 'static>(queue: mpsc::Sender<ObjectRef<K>>, requests: Vec<ObjectRef<K>>)
where
    K::DynamicType: Clone,
{
    for request in requests {
        if queue.send(request).await.is_err() {
            return;
        }
    }
}

fn within<K: Lookup<DynamicType = ()>>(name: &str, namespace: Option<String>) -> ObjectRef<K> {
    let reference = ObjectRef::new(name);
    match namespace {
        Some(namespace) => reference.within(&namespace),
        None => reference,
    }
}
