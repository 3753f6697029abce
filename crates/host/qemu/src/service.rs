//! VirtualDevices of a cluster: each is enrolled, provisioned, and kept running as a board.
//!
//! One manager serves a cluster or a namespace: the boards' files are on its machine. Left out: the
//! session of the device, which is the gateway's, and the Device's own status.

mod enrolment;
mod fleet;
mod line;
mod reconcile;
mod status;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::Api;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use tokio_util::sync::CancellationToken;
use wasmbed_crds::watching::WatchBackoff;
use wasmbed_crds::{Enrollment, Gateway, VirtualDevice};

use crate::board::BoardError;
use crate::leftover;
use crate::provision::ProvisionError;

use self::fleet::Fleet;

/// Name under which fields are applied.
pub(crate) const FIELD_MANAGER: &str = "wasmbed-qemu";

/// Wait before a reconciliation that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Time for the last statuses at the end.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(2);

/// What the manager is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the boards' files are kept, in a directory for each.
    pub data_directory: PathBuf,
    /// Namespace to serve; none for all.
    pub namespace: Option<String>,
    /// ELF of the firmware by the name of the board.
    pub firmware: BTreeMap<String, PathBuf>,
    /// Keys of the fleet CA that new devices pin; one or two.
    pub ca_pins: Vec<[u8; 32]>,
    /// Keys of the image signer that new devices pin; one or two.
    pub signer_pins: Vec<[u8; 32]>,
    /// `host:port` of the gateway, where it is not to be the endpoint of the Gateway object.
    pub gateway_address: Option<String>,
    /// Whether what passes the virtual cables and serial lines is written to `wire.pcap` beside the flash.
    pub captures: bool,
}

/// Why the manager cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of the boards cannot be used.
    #[error("boards in {}", directory.display())]
    Directory {
        /// That directory.
        directory: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Why a reconciliation ended early. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error("{0}")]
    Api(&'static str, #[source] kube::Error),
    #[error("board")]
    Board(#[from] BoardError),
    #[error("provision")]
    Provision(#[from] ProvisionError),
    #[error("files of the board")]
    File(#[from] io::Error),
    #[error("enrollment {name} belongs to somebody else")]
    EnrollmentTaken { name: String },
    #[error("the object has no {0}")]
    Incomplete(&'static str),
}

/// What every reconciliation needs.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) config: Config,
    pub(crate) fleet: Fleet,
    pub(crate) known: Store<VirtualDevice>,
}

/// Serves VirtualDevices until `cancel`, and then stops every board.
///
/// # Errors
/// [`Error`] if the data directory cannot be used. All else is retried and shown in statuses.
pub async fn run(config: Config, client: Client, cancel: CancellationToken) -> Result<(), Error> {
    clean_up(&config)?;
    let devices: Api<VirtualDevice> = api(&client, config.namespace.as_deref());
    let enrollments: Api<Enrollment> = api(&client, config.namespace.as_deref());
    let gateways: Api<Gateway> = api(&client, config.namespace.as_deref());
    let controller = Controller::new(devices, watcher::Config::default());
    let known = controller.store();
    let all = known.clone();
    let same_namespace = move |gateway: Gateway| {
        let namespace = gateway.namespace();
        let devices = all.state().into_iter();
        let near: Vec<_> = devices.filter(|device| device.namespace() == namespace).collect();
        near.into_iter().map(|device| ObjectRef::from_obj(&*device))
    };
    let context = Arc::new(Context { client, config, fleet: Fleet::default(), known });
    let stopping = cancel.clone();
    controller
        .trigger_backoff(WatchBackoff::default())
        .owns(enrollments, watcher::Config::default())
        .watches(gateways, watcher::Config::default(), same_namespace)
        .graceful_shutdown_on(async move { stopping.cancelled().await })
        .run(reconcile::reconcile, retry, Arc::clone(&context))
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "virtual device controller");
            }
        })
        .await;
    let stopped = context.fleet.stop_all().await;
    // Nobody waits long for a manager that ends; its successor writes the same, or better.
    let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, say_goodbye(&context, &stopped)).await;
    Ok(())
}

/// Tells that nobody looks after these boards any more.
async fn say_goodbye(context: &Context, uids: &[String]) {
    for device in context.known.state() {
        if device.uid().is_some_and(|uid| uids.contains(&uid)) {
            let outcome = || Some(status::Outcome::Unattended);
            if let Err(error) = status::write(context, &device, outcome, None).await {
                tracing::debug!(%error, "last status of a board");
            }
        }
    }
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn retry(device: Arc<VirtualDevice>, error: &ReconcileError, _: Arc<Context>) -> Action {
    let reason = error_chain(error);
    tracing::warn!(device = device.name_any(), reason, "virtual device is tried again");
    Action::requeue(RETRY_DELAY)
}

/// An error with all its sources, in one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Ends what a manager that was killed left running.
fn clean_up(config: &Config) -> Result<(), Error> {
    let directory = &config.data_directory;
    let failed = |source| Error::Directory { directory: directory.clone(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.is_dir() {
            continue;
        }
        match leftover::claim(&path) {
            Ok(_lock) => leftover::reap(&path).map_err(failed)?,
            Err(error) => tracing::warn!(%error, path = %path.display(), "board is not ours"),
        }
    }
    Ok(())
}
