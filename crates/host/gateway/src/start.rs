//! Joins the parts of a gateway process, and stops them in order.

use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::events::{Recorder, Reporter};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmbed_model::image_store::ImageStore;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::cluster::Cluster;
use crate::config::{Config, LiveConfig};
use crate::connection::Service;
use crate::images::Images;
use crate::limits;
use crate::metrics::Metrics;
use crate::presence::Presence;
use crate::registry::Registry;
use crate::status_writer::StatusWriter;
use crate::tls::{DeviceTls, ServerIdentity, TlsError};
use crate::{health, http_server, listener, live, orphans};

/// Why a gateway process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be taken.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate, key or authority cannot be used.
    #[error("set up TLS for {purpose}")]
    Tls {
        /// Which of the ports.
        purpose: &'static str,
        /// What is wrong.
        source: TlsError,
    },
}

/// A gateway process that serves.
#[derive(Debug)]
pub struct Running {
    /// Where devices connect.
    pub device_address: SocketAddr,
    /// Where the API server connects for live data.
    pub live_address: Option<SocketAddr>,
    /// Where probes and Prometheus connect.
    pub health_address: Option<SocketAddr>,
    stopped: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Waits until the process has stopped in order, after its token was cancelled.
    pub async fn stopped(self) {
        // An aborted or panicked task has stopped as well.
        let _ = self.stopped.await;
    }
}

/// Serves until `shutdown`.
///
/// # Errors
/// [`Error`] if it cannot begin; once it serves, it goes on.
pub async fn run(
    config: Config,
    client: kube::Client,
    images: Arc<dyn ImageStore>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    start(config, client, images, shutdown).await?.stopped().await;
    Ok(())
}

/// Begins to serve and returns; `shutdown` stops it.
///
/// # Errors
/// [`Error`] if an address is taken or a certificate cannot be used.
pub async fn start(
    config: Config,
    client: kube::Client,
    images: Arc<dyn ImageStore>,
    shutdown: CancellationToken,
) -> Result<Running, Error> {
    let identity = Arc::clone(&config.device_identity.borrow());
    let tls =
        DeviceTls::new(&identity).map_err(|source| Error::Tls { purpose: "devices", source })?;
    let devices = listen(config.device_address).await?;
    let health = match config.health_address {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let live = match &config.live {
        Some(live) => Some((listen(live.address).await?, accept_live(live)?)),
        None => None,
    };
    // What must outlive the sessions, so that their last words are written.
    let background = CancellationToken::new();
    let service = join(&config, tls, client, images, &background);
    let tasks = TaskTracker::new();
    let mut running = Running {
        device_address: local(&devices)?,
        live_address: None,
        health_address: None,
        stopped: tokio::spawn(async {}),
    };
    let serving = listener::serve(devices, Arc::clone(&service), tasks.clone(), shutdown.clone());
    tasks.spawn(serving);
    tasks.spawn(follow_identity(
        Arc::clone(&service),
        config.device_identity.clone(),
        shutdown.clone(),
    ));
    tasks.spawn(orphans::sweep(Arc::clone(&service), shutdown.clone()));
    if let Some(listener) = health {
        running.health_address = Some(local(&listener)?);
        let router = health::router(Arc::clone(&service), shutdown.clone());
        // Probes are answered until the end, so that a stop is seen as one.
        let (tasks, end) = (TaskTracker::new(), background.clone());
        let max = limits::HEALTH_CONNECTIONS_MAX;
        tokio::spawn(http_server::serve(listener, http_server::Plain, router, max, tasks, end));
    }
    if let Some((listener, accept)) = live {
        running.live_address = Some(local(&listener)?);
        let router = live::router(Arc::clone(&service));
        let max = limits::LIVE_CONNECTIONS_MAX;
        let (own, end) = (tasks.clone(), shutdown.clone());
        tasks.spawn(http_server::serve(listener, accept, router, max, own, end));
    }
    let presence = presence(&config, &service, &running);
    running.stopped = tokio::spawn(conduct(service, presence, tasks, shutdown, background));
    Ok(running)
}

/// Makes what every connection uses.
fn join(
    config: &Config,
    tls: DeviceTls,
    client: kube::Client,
    images: Arc<dyn ImageStore>,
    background: &CancellationToken,
) -> Arc<Service> {
    let reporter = Reporter {
        controller: "wasmbed-gateway".to_owned(),
        instance: Some(config.process.clone()),
    };
    let events = Recorder::new(client.clone(), reporter);
    let metrics = Arc::new(Metrics::default());
    let registry = Arc::new(Registry::new(config.limits.clone()));
    let cluster =
        Cluster::start(client, &config.namespace, &config.gateway, &registry, &metrics, background);
    let writer = StatusWriter::start(&cluster, &registry, &metrics, &config.process, background);
    Arc::new(Service {
        process: config.process.clone(),
        limits: config.limits.clone(),
        tls,
        cluster,
        registry,
        images: Images::new(images),
        metrics,
        writer,
        redeeming: Mutex::new(()),
        events,
    })
}

fn presence(config: &Config, service: &Arc<Service>, running: &Running) -> Presence {
    let identity = config.device_identity.clone();
    let advertised = config.live.as_ref().and_then(|live| live.advertised_address.clone());
    Presence {
        service: Arc::clone(service),
        live_address: advertised
            .or_else(|| running.live_address.map(|address| address.to_string())),
        device_address: running.device_address.to_string(),
        certificate_not_after: Box::new(move || not_after(&identity.borrow())),
    }
}

/// Runs until `shutdown`, then lets everything end: sessions, their last status, the Lease.
async fn conduct(
    service: Arc<Service>,
    presence: Presence,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    background: CancellationToken,
) {
    presence.keep(shutdown).await;
    tasks.close();
    let ending = async {
        tasks.wait().await;
        service.writer.flush().await;
        presence.leave().await;
    };
    if timeout(service.limits.drain_timeout, ending).await.is_err() {
        tracing::warn!("not everything ended in time; the Lease tells the rest");
    }
    background.cancel();
}

/// Shows each new leaf from then on. One that cannot be used is refused; the old one stays.
async fn follow_identity(
    service: Arc<Service>,
    mut identity: watch::Receiver<Arc<ServerIdentity>>,
    shutdown: CancellationToken,
) {
    loop {
        let changed = tokio::select! {
            () = shutdown.cancelled() => return,
            changed = identity.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        let next = Arc::clone(&identity.borrow_and_update());
        match service.tls.replace(&next) {
            Ok(()) => tracing::info!("a new certificate is shown to devices"),
            Err(error) => tracing::error!(%error, "the new certificate cannot be used"),
        }
    }
}

fn not_after(identity: &ServerIdentity) -> Option<Timestamp> {
    let leaf = identity.certificates.first()?;
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

fn accept_live(config: &LiveConfig) -> Result<live::FrontProxy, Error> {
    live::FrontProxy::new(config).map_err(|source| Error::Tls { purpose: "the live API", source })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Error> {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    listener.local_addr().map_err(|source| Error::Listen { address: unknown, source })
}
