//! Installs the custom resource definitions into a cluster.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};

use crate::Error;

/// Field manager of the definitions.
pub const MANAGER: &str = "wasmbed";

/// Applies every definition and waits until the API serves it.
///
/// # Errors
/// [`Error::Install`] names the definition.
pub async fn install(client: &Client) -> Result<(), Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply(MANAGER).force();
    let definitions = wasmbed_crds::all();
    for definition in &definitions {
        let name = definition.name_any();
        let applied = api.patch(&name, &params, &Patch::Apply(definition)).await;
        applied.map_err(|source| Error::Install { name, source: Box::new(source) })?;
    }
    for definition in &definitions {
        let name = definition.name_any();
        let served = await_condition(api.clone(), &name, conditions::is_crd_established()).await;
        served.map_err(|source| Error::Await { name, source: Box::new(source) })?;
    }
    Ok(())
}
