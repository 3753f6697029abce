//! Registers the gateway's live API with a cluster's aggregator.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use serde_json::{Value, json};

use super::cluster::MANAGER;

/// Service that stands for the live API in the cluster.
pub const SERVICE: &str = "wasmbed-live";

/// The DNS name that the API server expects in the live API's certificate.
pub fn server_name(namespace: &str) -> String {
    format!("{SERVICE}.{namespace}.svc")
}

/// Names in the live API's certificate.
pub fn names(namespace: &str) -> Vec<String> {
    vec![server_name(namespace), "localhost".to_owned()]
}

/// Tells the cluster where the live API is, and with which authority to check it.
pub async fn register(
    client: &kube::Client,
    namespace: &str,
    address: SocketAddr,
    ca_pem: &str,
) -> Result<()> {
    // EndpointSlices refuse loopback addresses; a name does not.
    let host =
        if address.ip().is_loopback() { "localhost".to_owned() } else { address.ip().to_string() };
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": namespace},
        "spec": {
            "type": "ExternalName", "externalName": host,
            "ports": [{"name": "https", "port": address.port(), "protocol": "TCP"}]},
    });
    let path = format!("/api/v1/namespaces/{namespace}/services/{SERVICE}");
    apply(client, &path, &service).await?;
    let (group, version) = (wasmbed_crds::LIVE_GROUP, wasmbed_crds::VERSION);
    let name = format!("{version}.{group}");
    // Below 1000, the priority of custom resources: else `kubectl get devices` asks this group.
    let api_service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": group, "version": version,
            "groupPriorityMinimum": 100, "versionPriority": 15,
            "caBundle": STANDARD.encode(ca_pem),
            "service": {"name": SERVICE, "namespace": namespace, "port": address.port()}},
    });
    let path = format!("/apis/apiregistration.k8s.io/v1/apiservices/{name}");
    apply(client, &path, &api_service).await
}

async fn apply(client: &kube::Client, path: &str, object: &Value) -> Result<()> {
    let request = Request::patch(format!("{path}?fieldManager={MANAGER}&force=true"))
        .header("Content-Type", "application/apply-patch+yaml")
        .body(serde_json::to_vec(object)?)?;
    client
        .request::<Value>(request)
        .await
        .with_context(|| format!("register the live API: {path}"))?;
    Ok(())
}
