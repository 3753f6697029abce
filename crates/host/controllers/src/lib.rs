//! The controllers: one module per custom resource, each observing, planning with `model`, applying.
//!
//! Left out: ApplicationRevision, which never changes, and VirtualDevice, which `qemu` controls.

mod application;
mod compile;
mod configuration;
mod context;
pub mod definitions;
mod device;
mod enrollment;
mod fetch;
mod gateway;
pub mod image_store;
mod leases;
mod limits;
mod module_source;
mod preparation;
mod status;
mod sweep;
mod watches;

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmbed_model::image_store::ImageStore;
use wasmbed_pki::ImageSigner;

use crate::context::{Context, drive};

/// What the controllers are started with.
pub struct Config {
    /// Namespace to look after; nothing for all of them.
    pub namespace: Option<String>,
    /// Where images go.
    pub images: Arc<dyn ImageStore>,
    /// Who signs them.
    pub signer: Arc<ImageSigner>,
    /// Name of this process in Events.
    pub instance: String,
}

/// Why the controllers did not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A definition could not be applied.
    #[error("apply the definition {name}")]
    Install {
        /// Its name.
        name: String,
        /// What the client said.
        source: Box<kube::Error>,
    },
    /// A definition is not served.
    #[error("wait for the definition {name}")]
    Await {
        /// Its name.
        name: String,
        /// What the client said.
        source: Box<kube::runtime::wait::Error>,
    },
}

/// Runs all controllers until `shutdown`. They expect the definitions to be served, and wait for
/// the API as long as it takes.
///
/// # Errors
/// None once started: what fails is tried again, and shown in statuses and the log.
pub async fn run(config: Config, client: Client, shutdown: CancellationToken) -> Result<(), Error> {
    let tasks = TaskTracker::new();
    let (queues, requests) = watches::queues();
    let caches = watches::start(&client, config.namespace.as_deref(), &queues, &tasks, &shutdown);
    let clock = Timestamp::now;
    let leases = leases::Leases::new(caches.leases.clone(), clock);
    let reporter =
        Reporter { controller: "wasmbed-controllers".to_owned(), instance: Some(config.instance) };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        fetcher: fetch::Fetcher::new(),
        attempts: application::Attempts::default(),
        failures: Default::default(),
        leases: leases.clone(),
        caches: caches.clone(),
        images: config.images,
        signer: config.signer,
        client,
        clock,
    });
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = caches.wait_until_ready() => {
            tracing::info!("the controllers' caches are in step with the cluster");
            start(&context, leases, queues, requests, &tasks, &shutdown);
        }
    }
    shutdown.cancelled().await;
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// Starts what needs caches that are in step.
fn start(
    context: &Arc<Context>,
    leases: leases::Leases,
    queues: watches::Queues,
    requests: watches::Requests,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let caches = &context.caches;
    let ctx = || Arc::clone(context);
    let stop = || shutdown.clone();
    tasks.spawn(drive(
        ctx(),
        caches.applications.clone(),
        requests.applications,
        stop(),
        application::reconcile,
    ));
    let devices = caches.devices.clone();
    tasks.spawn(drive(ctx(), devices, requests.devices, stop(), device::reconcile));
    let gateways = caches.gateways.clone();
    tasks.spawn(drive(ctx(), gateways, requests.gateways, stop(), gateway::reconcile));
    let tokens = caches.enrollments.clone();
    tasks.spawn(drive(ctx(), tokens, requests.enrollments, stop(), enrollment::reconcile));
    let (devices, gateways) = (caches.devices.clone(), caches.gateways.clone());
    until(tasks, shutdown, leases.follow(requests.leases, devices, gateways, queues));
    until(tasks, shutdown, sweep::run(ctx()));
}

fn until(
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    });
}
