//! `wasmbed up`: every role in one process, on the embedded API server or on a cluster.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::{self, FrontProxy};
use super::data_dir::DataDir;
use super::parts::{self, Parts};
use super::{NAMESPACE, embedded, live_api, live_backend, signals};
use crate::arguments::{Scope, Up};
use crate::client::state_directory;

/// Starts everything, says what is where, and runs until it is told to stop.
pub async fn run(scope: &Scope, up: &Up) -> Result<ExitCode> {
    let start = Instant::now();
    super::log::start();
    let shutdown = signals::shutdown()?;
    let folder = up.settings.data_dir.clone().unwrap_or_else(state_directory);
    let data = DataDir::open(&folder)?;
    let plane = Plane::open(&data, scope.kubeconfig.as_deref(), up.api_address).await?;
    let namespace = scope.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned());
    if plane.embedded.is_none() {
        cluster::install(&plane.client, &namespace).await?;
    }
    let parts = Parts {
        fleet: parts::fleet(&data)?,
        images: parts::images(&data)?,
        client: plane.client.clone(),
        namespace,
        shutdown: shutdown.clone(),
        data,
    };
    let result = serve(&parts, &plane, up, start).await;
    // Whatever happened, nothing is left running.
    shutdown.cancel();
    if let Some(server) = plane.embedded {
        server.stop().await;
    }
    result.map(|()| ExitCode::SUCCESS)
}

/// The control plane of a run.
struct Plane {
    client: kube::Client,
    embedded: Option<wasmbed_apiserver::Running>,
    /// What the user passes to `--kubeconfig`, or finds by itself.
    kubeconfig: String,
}

impl Plane {
    async fn open(data: &DataDir, cluster: Option<&Path>, listen: SocketAddr) -> Result<Self> {
        if let Some(path) = cluster {
            let client = cluster::connect(path).await?;
            return Ok(Self { client, embedded: None, kubeconfig: path.display().to_string() });
        }
        let server = embedded::start(data, listen).await?;
        let kubeconfig = data.join("kubeconfig").display().to_string();
        Ok(Self { client: server.client(), embedded: Some(server), kubeconfig })
    }

    async fn front_proxy(&self, parts: &Parts) -> Result<FrontProxy> {
        match self.embedded {
            Some(_) => parts::own_front_proxy(&parts.fleet),
            None => cluster::front_proxy(&self.client).await?.context(
                "the cluster's API server forwards no requests: it has no front-proxy authority",
            ),
        }
    }

    /// Lets the API server forward the live group to the gateway.
    async fn forward_live(&self, parts: &Parts, address: SocketAddr) -> Result<()> {
        let namespace = &parts.namespace;
        let api = live_backend::aggregated(&parts.fleet, namespace, &address.to_string())?;
        match &self.embedded {
            Some(server) => Ok(server.set_aggregated(&[api])?),
            None => live_api::register(&self.client, namespace, address, &api.ca_pem).await,
        }
    }
}

/// Starts the roles, then waits until one fails or all are told to stop.
async fn serve(parts: &Parts, plane: &Plane, up: &Up, start: Instant) -> Result<()> {
    let front_proxy = plane.front_proxy(parts).await?;
    let gateway = parts.start_gateway(&up.settings, front_proxy).await?;
    parts.enter(&up.settings, gateway.device_address).await?;
    let live = gateway.live_address.context("the gateway serves no live API")?;
    plane.forward_live(parts, live).await?;
    let tasks = TaskTracker::new();
    let (failed, mut failures) = tokio::sync::mpsc::channel(2);
    let roles = [
        ("controllers", tasks.spawn(parts.controllers()?)),
        ("QEMU manager", tasks.spawn(parts.qemu(&up.settings, Some(gateway.device_address))?)),
    ];
    for (name, role) in roles {
        let failed = failed.clone();
        tasks.spawn(async move {
            let result = role.await.context("ended by a panic").and_then(|result| result);
            // The receiver is gone only when the run has ended already.
            let _ = failed.send((name, result)).await;
        });
    }
    say(parts, plane, up, &gateway, start);
    let ended = tokio::select! {
        () = parts.shutdown.cancelled() => None,
        ended = failures.recv() => ended,
    };
    // Roles that end because all are told to do not end by themselves.
    let ended = ended.filter(|(_, result)| result.is_err() || !parts.shutdown.is_cancelled());
    finish(parts.shutdown.clone(), tasks, gateway).await;
    match ended {
        Some((name, result)) => {
            result.with_context(|| format!("the {name} role failed"))?;
            anyhow::bail!("the {name} role ended by itself")
        }
        None => Ok(()),
    }
}

async fn finish(
    shutdown: CancellationToken,
    tasks: TaskTracker,
    gateway: wasmbed_gateway::Running,
) {
    shutdown.cancel();
    tasks.close();
    gateway.stopped().await;
    tasks.wait().await;
}

fn say(parts: &Parts, plane: &Plane, up: &Up, gateway: &wasmbed_gateway::Running, start: Instant) {
    let server = plane.embedded.as_ref().map(|server| format!("https://{}", server.addr()));
    println!("API server   {}", server.as_deref().unwrap_or("the cluster of the kubeconfig"));
    println!("kubeconfig   {}", plane.kubeconfig);
    println!(
        "gateway      {} for {}/{}",
        gateway.device_address, parts.namespace, up.settings.gateway
    );
    if let Some(address) = gateway.health_address {
        println!("health       http://{address}/healthz, metrics on /metrics");
    }
    println!("data         {}", parts.data.join("").display());
    println!("ready after {:.2} s; Ctrl-C stops everything", start.elapsed().as_secs_f32());
}
