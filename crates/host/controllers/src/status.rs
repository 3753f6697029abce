//! Writing statuses: server-side apply to the status subresource, and only if nobody wrote first.

use kube::api::{Api, Patch, PatchParams};
use kube::core::{NamespaceResourceScope, Resource};
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Why a reconcile pass stopped before its plan was applied.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API did not answer, or refused.
    #[error("{operation} {name}")]
    Api {
        /// What was tried.
        operation: &'static str,
        /// On which object.
        name: String,
        /// What the client said.
        source: Box<kube::Error>,
    },
    /// The image store failed.
    #[error("image store")]
    Images(#[from] wasmbed_model::image_store::ImageStoreError),
    /// A task of ours was cancelled: the service is shutting down.
    #[error("cancelled")]
    Cancelled,
}

impl ReconcileError {
    /// From what the client said about one object.
    pub fn api(
        operation: &'static str,
        name: impl Into<String>,
    ) -> impl FnOnce(kube::Error) -> Self {
        let name = name.into();
        move |source| Self::Api { operation, name, source: Box::new(source) }
    }

    /// Whether somebody else wrote the object first: look again, and at once.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source, .. } if is_code(source, 409))
    }

    /// Whether the object is gone.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Api { source, .. } if is_code(source, 404))
    }
}

/// Whether the API answered with this HTTP code.
pub fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Applies `status` for `manager`, provided that `object` still is what it was when it was read.
pub async fn apply<K>(
    client: &Client,
    object: &K,
    manager: &str,
    status: Value,
) -> Result<(), ReconcileError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned,
    K: std::fmt::Debug,
{
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {
            "name": name,
            "uid": object.uid(),
            "resourceVersion": object.resource_version(),
        },
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    let applied = api.patch_status(&name, &params, &Patch::Apply(&body)).await;
    applied.map(drop).map_err(ReconcileError::api("apply the status of", name))
}
