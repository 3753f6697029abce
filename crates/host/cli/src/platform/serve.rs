//! `wasmbed serve ROLE`: one role in this process, as in a pod.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::data_dir::DataDir;
use super::parts::{self, Parts};
use super::{NAMESPACE, cluster, embedded, signals};
use crate::arguments::{Role, Scope, Serve};
use crate::client::{connect, state_directory};

/// Runs one role until it is told to stop.
pub async fn run(scope: &Scope, serve: &Serve) -> Result<ExitCode> {
    super::log::start();
    let shutdown = signals::shutdown()?;
    let folder = serve.settings.data_dir.clone().unwrap_or_else(state_directory);
    let data = DataDir::open_shared(&folder)?;
    if serve.role == Role::Apiserver {
        let server = embedded::start(&data, serve.api_address).await?;
        println!("ready: https://{}", server.addr());
        shutdown.cancelled().await;
        server.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    let connection = connect(scope).await?;
    let namespace = scope.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned());
    let fleet = parts::fleet(&data)?;
    let parts = Parts {
        fleet: Arc::clone(&fleet),
        images: parts::images(&data)?,
        client: connection.client.clone(),
        namespace,
        shutdown: shutdown.clone(),
        data,
    };
    match serve.role {
        Role::Apiserver => {}
        Role::Gateway => {
            let front_proxy = cluster::front_proxy(&connection.client)
                .await
                .or_else(|_| parts::own_front_proxy(&fleet))?;
            let running = parts.start_gateway(&serve.settings, front_proxy).await?;
            println!("ready: {}", running.device_address);
            running.stopped().await;
        }
        Role::Controllers => {
            println!("ready");
            parts.controllers()?.await?;
        }
        Role::Qemu => {
            let gateway = gateway_address(&parts, serve).await?;
            println!("ready");
            parts.qemu(&serve.settings, gateway)?.await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the gateway of this namespace listens, as its object says.
async fn gateway_address(parts: &Parts, serve: &Serve) -> Result<std::net::SocketAddr> {
    let api: kube::Api<wasmbed_crds::Gateway> =
        kube::Api::namespaced(parts.client.clone(), &parts.namespace);
    let name = &serve.settings.gateway;
    let object = api.get(name).await.with_context(|| format!("read the Gateway {name}"))?;
    let endpoint = object.spec.endpoint;
    let text = format!("{}:{}", endpoint.host, endpoint.port);
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => bail!("the endpoint of the Gateway {name}, {text}, is not an address and a port"),
    }
}
