//! Where the embedded API server forwards requests for live data: the gateway.

use std::pin::pin;

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use wasmbed_apiserver::{AggregatedApi, Running};
use wasmbed_crds::Gateway;
use wasmbed_crds::watching::WatchBackoff;
use wasmbed_pki::Fleet;

use super::gateway::IDENTITY_PERIOD;
use super::{live_api, now_s};

/// The live API at an address, and what the API server shows there.
pub fn aggregated(fleet: &Fleet, namespace: &str, address: &str) -> Result<AggregatedApi> {
    let proxy = fleet.front_proxy(now_s()).context("open the front proxy's key")?;
    let live = fleet.live_server(&live_api::names(namespace), now_s());
    Ok(AggregatedApi {
        group: wasmbed_crds::LIVE_GROUP.to_owned(),
        version: wasmbed_crds::VERSION.to_owned(),
        url: format!("https://{address}"),
        ca_pem: live.context("open the live API's authority")?.ca_pem,
        server_name: live_api::server_name(namespace),
        client_cert_pem: proxy.client.certificate().pem.clone(),
        client_key_pem: proxy.client.key_pem().to_string(),
    })
}

/// Forwards to the gateway that its object names, wherever it is started anew, and with a new
/// certificate when that is rotated. Never ends.
pub async fn follow(server: &Running, fleet: &Fleet, namespace: &str, gateway: &str) {
    let api: Api<Gateway> = Api::namespaced(server.client(), namespace);
    let own = Config::default().fields(&format!("metadata.name={gateway}"));
    let mut seen = pin!(watcher(api, own).backoff(WatchBackoff::default()).applied_objects());
    let mut period = tokio::time::interval(IDENTITY_PERIOD);
    let (mut address, mut shown) = (None, None);
    loop {
        tokio::select! {
            gateway = seen.next() => match gateway {
                // A gateway that has left may come back: until then a request is answered with 503.
                Some(Ok(gateway)) => address = live_address(&gateway).or(address),
                Some(Err(error)) => tracing::warn!(%error, "watch the Gateway"),
                None => return std::future::pending().await,
            },
            _ = period.tick() => {}
        }
        let Some(address) = &address else { continue };
        if let Err(error) = forward(server, fleet, namespace, address, &mut shown) {
            tracing::error!(reason = format!("{error:#}"), "live data is not forwarded");
        }
    }
}

/// The address of the first process that serves live data.
fn live_address(gateway: &Gateway) -> Option<String> {
    let replicas = &gateway.status.as_ref()?.replicas;
    replicas.iter().find_map(|replica| replica.address.clone())
}

/// Tells the server, if that is not what it was told last.
fn forward(
    server: &Running,
    fleet: &Fleet,
    namespace: &str,
    address: &str,
    shown: &mut Option<(String, String)>,
) -> Result<()> {
    let api = aggregated(fleet, namespace, address)?;
    let now = (api.url.clone(), api.client_cert_pem.clone());
    if shown.as_ref() == Some(&now) {
        return Ok(());
    }
    server.set_aggregated(&[api])?;
    tracing::info!(address, "live data is forwarded to the gateway");
    *shown = Some(now);
    Ok(())
}
