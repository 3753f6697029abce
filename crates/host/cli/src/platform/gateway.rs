//! The gateway role: certificates that follow their store, and the Gateway object.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wasmbed_crds::gateway::Endpoint;
use wasmbed_crds::{Gateway, GatewaySpec};
use wasmbed_gateway::ServerIdentity;
use wasmbed_pki::{Fleet, Identity};

use super::cluster::MANAGER;

/// How often the stores are asked for newer certificates: a rotation shows within this time.
pub const IDENTITY_PERIOD: Duration = Duration::from_secs(10);

/// How often the endpoint is tried again when the object changed meanwhile: the gateway itself writes
/// its status at that time, once or twice.
const CONFLICTS_MAX: u32 = 8;

/// Makes the Gateway object where there is none. In one that was made here the endpoint is kept
/// true; any other belongs to its author.
pub async fn ensure_object(
    client: &kube::Client,
    namespace: &str,
    name: &str,
    address: SocketAddr,
) -> Result<()> {
    let api: Api<Gateway> = Api::namespaced(client.clone(), namespace);
    let endpoint = Endpoint { host: address.ip().to_string(), port: i32::from(address.port()) };
    let mut conflicts = 0;
    loop {
        let written = match api.get_opt(name).await.context("read the Gateway")? {
            Some(found) if found.spec.endpoint == endpoint || !is_ours(&found) => return Ok(()),
            Some(found) => redirect(&api, &found, &endpoint).await,
            None => create(&api, name, endpoint.clone()).await,
        };
        match written {
            Ok(()) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && conflicts < CONFLICTS_MAX => {
                conflicts += 1;
            }
            Err(error) => return Err(error).context("write the Gateway"),
        }
    }
}

async fn create(api: &Api<Gateway>, name: &str, endpoint: Endpoint) -> Result<(), kube::Error> {
    let spec = GatewaySpec {
        endpoint,
        heartbeat_timeout_seconds: 30,
        sessions_max: 10_000,
        ..Default::default()
    };
    let how = PostParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
    api.create(&how, &Gateway::new(name, spec)).await.map(drop)
}

/// Changes the endpoint of exactly the object that was looked at.
async fn redirect(
    api: &Api<Gateway>,
    found: &Gateway,
    endpoint: &Endpoint,
) -> Result<(), kube::Error> {
    let patch = json!({
        "metadata": {"resourceVersion": found.metadata.resource_version},
        "spec": {"endpoint": endpoint},
    });
    let how = PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
    api.patch(&found.name_any(), &how, &Patch::Merge(&patch)).await.map(drop)
}

/// Waits until the object names a process with this live address.
pub async fn shows(
    client: &kube::Client,
    namespace: &str,
    name: &str,
    live: Option<&str>,
) -> Result<()> {
    let api: Api<Gateway> = Api::namespaced(client.clone(), namespace);
    let is_shown = |gateway: Option<&Gateway>| {
        let status = gateway.and_then(|gateway| gateway.status.as_ref());
        let mut replicas = status.into_iter().flat_map(|status| &status.replicas);
        replicas.any(|replica| replica.address.as_deref() == live)
    };
    await_condition(api, name, is_shown).await.context("watch the Gateway")?;
    Ok(())
}

/// Whether nobody else has set the endpoint.
fn is_ours(gateway: &Gateway) -> bool {
    let sets_endpoint = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields.pointer("/f:spec/f:endpoint").is_some())
    };
    let entries = gateway.metadata.managed_fields.iter().flatten();
    let mut managers = entries.filter(sets_endpoint).map(|entry| entry.manager.as_deref());
    managers.all(|manager| manager == Some(MANAGER))
}

/// What the gateway shows, from a key and its certificate.
pub fn server_identity(identity: &Identity) -> ServerIdentity {
    ServerIdentity {
        certificates: vec![CertificateDer::from(identity.certificate().der.clone())],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key_der().to_vec())),
    }
}

/// A certificate that is read again now and then, so that renewal and rotation need no restart.
pub fn follow(
    fleet: Arc<Fleet>,
    shutdown: CancellationToken,
    read: impl Fn(&Fleet) -> Result<Identity> + Send + 'static,
) -> Result<watch::Receiver<Arc<ServerIdentity>>> {
    let first = read(&fleet)?;
    let mut shown = first.certificate().der.clone();
    let (sender, receiver) = watch::channel(Arc::new(server_identity(&first)));
    tokio::spawn(async move {
        let mut period = tokio::time::interval(IDENTITY_PERIOD);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = period.tick() => {}
            }
            match read(&fleet) {
                Ok(identity) if identity.certificate().der != shown => {
                    shown = identity.certificate().der.clone();
                    if sender.send(Arc::new(server_identity(&identity))).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::error!("{error:#}"),
            }
        }
    });
    Ok(receiver)
}
