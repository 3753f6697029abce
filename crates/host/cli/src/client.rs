//! Connection to the API server that the user means.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::arguments::Scope;

/// A connection and the namespace that unqualified names belong to.
#[derive(Clone)]
pub struct Connection {
    /// Client of the API server.
    pub client: kube::Client,
    /// Namespace of the command.
    pub namespace: String,
}

/// Where `wasmbed up` keeps everything unless told otherwise.
pub fn state_directory() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| home().join(".local/state"))
        .join("wasmbed")
}

/// Connects as the scope says.
pub async fn connect(scope: &Scope) -> Result<Connection> {
    let kubeconfig = find(scope)?;
    let options = KubeConfigOptions { context: scope.context.clone(), ..Default::default() };
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .context("the kubeconfig cannot be used")?;
    // Watches and followed logs stay silent for as long as nothing happens.
    config.read_timeout = None;
    // The user, or the role, decides what to do about a refusal. A reboot that a device did not
    // confirm in time, above all, must not be sent again and again.
    config.default_retry = false;
    config.connect_timeout = Some(std::time::Duration::from_secs(10));
    let namespace = scope.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = kube::Client::try_from(config).context("the kubeconfig cannot be used")?;
    Ok(Connection { client, namespace })
}

fn find(scope: &Scope) -> Result<Kubeconfig> {
    if let Some(path) = &scope.kubeconfig {
        return read(path);
    }
    if std::env::var_os("KUBECONFIG").is_some_and(|value| !value.is_empty()) {
        let found = Kubeconfig::from_env().context("read the files of $KUBECONFIG")?;
        return found.context("$KUBECONFIG names no file that exists");
    }
    let own = state_directory().join("kubeconfig");
    if own.is_file() {
        return read(&own);
    }
    match Kubeconfig::read() {
        Ok(kubeconfig) => Ok(kubeconfig),
        Err(_) => bail!(
            "no kubeconfig found\nhint: start a platform with `wasmbed up`, or name a cluster with --kubeconfig FILE"
        ),
    }
}

fn read(path: &Path) -> Result<Kubeconfig> {
    Kubeconfig::read_from(path).with_context(|| format!("read kubeconfig {}", path.display()))
}
