//! `wasmbed serve ROLE`: one role in this process, as in a pod.

use std::process::ExitCode;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;
use super::parts::{self, Parts};
use super::{NAMESPACE, cluster, embedded, live_backend, patience, signals};
use crate::arguments::{Role, Scope, Serve};
use crate::client::state_directory;

/// Runs one role until it is told to stop.
pub async fn run(scope: &Scope, serve: &Serve) -> Result<ExitCode> {
    super::log::start();
    let shutdown = signals::shutdown()?;
    let folder = serve.settings.data_dir.clone().unwrap_or_else(state_directory);
    let data = DataDir::open_shared(&folder, &lock_name(serve))?;
    let namespace = scope.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned());
    if serve.role == Role::Apiserver {
        serve_api(&data, serve, &namespace, &shutdown).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let own = serve.settings.data_dir.as_deref();
    let Some(client) = patience::api_server(scope, own, &shutdown).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let parts = Parts {
        fleet: parts::fleet(&data)?,
        images: parts::images(&data)?,
        client,
        namespace,
        shutdown,
        data,
    };
    match serve.role {
        Role::Apiserver => {}
        Role::Gateway => serve_gateway(&parts, serve).await?,
        Role::Controllers => {
            let controllers = parts.controllers()?;
            println!("ready");
            controllers.await?;
        }
        Role::Qemu => {
            // Where devices connect is written in the Gateway, and may change.
            let manager = parts.qemu(&serve.settings, None)?;
            println!("ready");
            manager.await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a second process of the same role finds taken.
fn lock_name(serve: &Serve) -> String {
    match serve.role {
        Role::Apiserver => "apiserver".to_owned(),
        Role::Gateway => format!("gateway-{}", serve.settings.gateway),
        Role::Controllers => "controllers".to_owned(),
        Role::Qemu => "qemu".to_owned(),
    }
}

async fn serve_api(
    data: &DataDir,
    serve: &Serve,
    namespace: &str,
    shutdown: &CancellationToken,
) -> Result<()> {
    let fleet = parts::fleet(data)?;
    let server = embedded::start(data, serve.api_address).await?;
    println!("ready: https://{}", server.addr());
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = live_backend::follow(&server, &fleet, namespace, &serve.settings.gateway) => {}
    }
    server.stop().await;
    Ok(())
}

async fn serve_gateway(parts: &Parts, serve: &Serve) -> Result<()> {
    let (settings, shutdown) = (&serve.settings, &parts.shutdown);
    let found = patience::until("waiting to learn who forwards requests", shutdown, || async {
        match cluster::front_proxy(&parts.client).await? {
            Some(found) => Ok(found),
            None => parts::own_front_proxy(&parts.fleet),
        }
    });
    let Some(front_proxy) = found.await? else { return Ok(()) };
    let running = parts.start_gateway(settings, front_proxy).await?;
    let address = running.device_address;
    let live = running.live_address;
    let entered = patience::until("waiting to write the Gateway", shutdown, || async {
        parts.enter(settings, address).await?;
        parts.entered(settings, live).await
    });
    if entered.await?.is_some() {
        println!("ready: {address}");
    }
    running.stopped().await;
    Ok(())
}
