//! Private keys as Secrets of a cluster: one Secret a name.
//!
//! Left out: who may read which of them. That is the cluster's RBAC, by the Secret's name.

use std::future::Future;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::{KeyStore, StoreError};

/// Field manager of the Secrets.
const MANAGER: &str = "wasmbed-pki";
/// Start of every Secret's name.
const PREFIX: &str = "wasmbed-key-";
/// Label of the Secrets, so that they can be listed.
const LABEL: (&str, &str) = ("app.kubernetes.io/component", "wasmbed-key");
/// Key in the Secret's data.
const DATA_KEY: &str = "key.pem";

/// Secrets of one namespace.
///
/// Calls wait for the API: asynchronous callers give them a thread (`spawn_blocking`), because
/// waiting on a thread of the runtime itself is refused by it.
pub struct SecretStore {
    api: Api<Secret>,
    runtime: Handle,
}

impl SecretStore {
    /// A store in `namespace`. Its calls wait on `runtime`.
    pub fn new(client: Client, namespace: &str, runtime: Handle) -> Self {
        Self { api: Api::namespaced(client, namespace), runtime }
    }

    /// Forgets what is kept under `name`; nothing there is fine. For tests and for tearing down.
    ///
    /// # Errors
    /// [`StoreError::Api`].
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let secret = secret_name(name);
        match self.wait(self.api.delete(&secret, &DeleteParams::default())) {
            Err(error) if !is_code(&error, 404) => Err(failed("delete", name)(error)),
            _ => Ok(()),
        }
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn object(name: &str, text: &str) -> Secret {
        let data = ByteString(text.as_bytes().to_vec());
        let mut secret = Secret { type_: Some("Opaque".to_owned()), ..Secret::default() };
        secret.metadata.name = Some(secret_name(name));
        secret.labels_mut().insert(LABEL.0.to_owned(), LABEL.1.to_owned());
        secret.data = Some([(DATA_KEY.to_owned(), data)].into());
        secret
    }
}

impl KeyStore for SecretStore {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        let found = self.wait(self.api.get_opt(&secret_name(name)));
        let Some(mut secret) = found.map_err(failed("read", name))? else { return Ok(None) };
        let data = secret.data.as_mut().and_then(|data| data.remove(DATA_KEY));
        // A Secret without the key is damaged, not missing: an empty text says so further up.
        let text = String::from_utf8(data.unwrap_or_default().0).unwrap_or_default();
        Ok(Some(Zeroizing::new(text)))
    }

    fn create(&self, name: &str, text: &str) -> Result<Zeroizing<String>, StoreError> {
        let params =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match self.wait(self.api.create(&params, &Self::object(name, text))) {
            Ok(_) => return Ok(Zeroizing::new(text.to_owned())),
            Err(error) if is_code(&error, 409) => {}
            Err(error) => return Err(failed("create", name)(error)),
        }
        // Somebody else was first. If it is gone again by now, that is an error worth seeing.
        self.read(name)?.ok_or_else(|| StoreError::Vanished { name: name.to_owned() })
    }

    fn replace(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let secret = Self::object(name, text);
        let mut body = json!(secret);
        body["apiVersion"] = json!("v1");
        body["kind"] = json!("Secret");
        let params = PatchParams::apply(MANAGER).force();
        let applied = self.wait(self.api.patch(&secret_name(name), &params, &Patch::Apply(&body)));
        applied.map(drop).map_err(failed("replace", name))
    }

    fn list(&self) -> Result<Vec<String>, StoreError> {
        let params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let list = self.wait(self.api.list(&params)).map_err(failed("list", ""))?;
        let mut names: Vec<_> = list
            .iter()
            .filter_map(|secret| secret.name_any().strip_prefix(PREFIX).map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }
}

fn secret_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

fn failed(operation: &'static str, name: &str) -> impl FnOnce(kube::Error) -> StoreError {
    let name = name.to_owned();
    move |source| StoreError::Api { operation, name, source: Box::new(source) }
}
