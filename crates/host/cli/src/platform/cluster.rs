//! A real cluster in place of the embedded API server.

use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, Patch, PatchParams};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

/// Field manager of what is set up here.
pub const MANAGER: &str = "wasmbed-up";

/// Connects to the cluster of a kubeconfig.
pub async fn connect(path: &Path) -> Result<kube::Client> {
    let kubeconfig = kube::config::Kubeconfig::read_from(path)
        .with_context(|| format!("read kubeconfig {}", path.display()))?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default())
        .await
        .context("the kubeconfig cannot be used")?;
    config.read_timeout = None;
    let client = kube::Client::try_from(config).context("the kubeconfig cannot be used")?;
    let version = client.apiserver_version().await.context("ask the API server for its version")?;
    tracing::info!(version = version.git_version, "control plane");
    Ok(client)
}

/// Installs the custom resources and waits until they are served.
pub async fn install(client: &kube::Client, namespace: &str) -> Result<()> {
    wasmbed_controllers::definitions::install(client).await?;
    let how = PatchParams::apply(MANAGER).force();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    namespaces
        .patch(namespace, &how, &Patch::Apply(&object))
        .await
        .with_context(|| format!("make the namespace {namespace}"))?;
    Ok(())
}

/// Who the cluster's API server is when it forwards requests to the live API.
pub struct FrontProxy {
    /// Authorities of its client certificate.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Common names that the certificate may have; empty allows any.
    pub names: Vec<String>,
}

/// Reads what the cluster publishes about its front proxy; nothing where it has none.
pub async fn front_proxy(client: &kube::Client) -> Result<Option<FrontProxy>> {
    let name = "extension-apiserver-authentication";
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    let map = api.get_opt(name).await.context("read how the cluster forwards requests")?;
    let data = map.and_then(|map| map.data).unwrap_or_default();
    let Some(pem) = data.get("requestheader-client-ca-file") else { return Ok(None) };
    let authorities = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .context("the cluster's front-proxy authority cannot be read")?;
    let names = data
        .get("requestheader-allowed-names")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    Ok(Some(FrontProxy { authorities, names }))
}
