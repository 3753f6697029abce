//! The bytes of an Application's module, from wherever its spec says they are.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt};
use wasmbed_crds::application::{ConfigMapSource, HttpSource, ImageSource};
use wasmbed_model::condition::reasons;
use wasmbed_model::ids::{self, Digest};

use crate::fetch::{FetchError, Fetcher};
use crate::preparation::Refusal;
use crate::status::{ReconcileError, is_code};

/// A module as it was found.
pub struct Found {
    /// Its bytes.
    pub module: Vec<u8>,
    /// Digest that the spec demands.
    pub expected: Option<Digest>,
}

/// What was found, and which version of the source it was found in.
pub struct Answer {
    /// Changes when another look might find something else; empty where only time can tell.
    pub version: String,
    /// The module, or why there is none.
    pub found: Result<Found, Refusal>,
}

/// Digest that the spec demands, where it does.
pub fn pinned(source: &ImageSource) -> Option<&str> {
    match source {
        ImageSource { config_map: Some(source), .. } => source.digest.as_deref(),
        ImageSource { http: Some(source), .. } => Some(&source.digest),
        ImageSource { oci, .. } => oci.as_ref()?.reference.rsplit('@').next(),
    }
}

/// Looks for the module. `known` is the version that was looked at before: where it is still the
/// same, nothing is answered.
///
/// # Errors
/// The API did not answer.
pub async fn find(
    source: &ImageSource,
    namespace: &str,
    known: Option<&str>,
    client: &Client,
    fetcher: &Fetcher,
) -> Result<Option<Answer>, ReconcileError> {
    match source {
        ImageSource { config_map: Some(source), .. } => {
            let answer = in_config_map(source, namespace, client).await?;
            Ok(Some(answer).filter(|answer| known != Some(&answer.version)))
        }
        // Another look at an address is a matter of time, which the caller keeps.
        ImageSource { http: Some(source), .. } => {
            let found = behind_address(source, fetcher).await;
            Ok(Some(Answer { version: String::new(), found }))
        }
        ImageSource { oci: Some(source), .. } => {
            let message =
                format!("images from OCI registries are not implemented: {}", source.reference);
            let found = Err(Refusal::lasting(reasons::NOT_IMPLEMENTED, message));
            Ok(Some(Answer { version: String::new(), found }))
        }
        ImageSource { .. } => {
            let found = Err(Refusal::lasting(reasons::NOT_IMPLEMENTED, "the spec names no image"));
            Ok(Some(Answer { version: String::new(), found }))
        }
    }
}

async fn in_config_map(
    source: &ConfigMapSource,
    namespace: &str,
    client: &Client,
) -> Result<Answer, ReconcileError> {
    let name = &source.name;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let config_map = match api.get(name).await {
        Ok(config_map) => config_map,
        Err(error) if is_code(&error, 404) => {
            let message = format!("there is no ConfigMap {name} in the namespace {namespace}");
            let found = Err(Refusal::lasting(reasons::CONFIG_MAP_MISSING, message));
            return Ok(Answer { version: "missing".to_owned(), found });
        }
        Err(error) => return Err(ReconcileError::api("read the ConfigMap", name)(error)),
    };
    let version = config_map.resource_version().unwrap_or_default();
    Ok(Answer { version, found: key_of(config_map, source) })
}

fn key_of(mut config_map: ConfigMap, source: &ConfigMapSource) -> Result<Found, Refusal> {
    let (name, key) = (&source.name, &source.key);
    let expected = digest(source.digest.as_deref())?;
    if let Some(bytes) = config_map.binary_data.as_mut().and_then(|data| data.remove(key)) {
        return Ok(Found { module: bytes.0, expected });
    }
    let is_text = config_map.data.is_some_and(|data| data.contains_key(key));
    let hint = if is_text { ": it has it in data, as text" } else { "" };
    let message = format!("the ConfigMap {name} has no key {key} in binaryData{hint}");
    Err(Refusal::lasting(reasons::KEY_MISSING, message))
}

async fn behind_address(source: &HttpSource, fetcher: &Fetcher) -> Result<Found, Refusal> {
    let expected = digest(Some(&source.digest))?;
    match fetcher.fetch(&source.url).await {
        Ok(module) => Ok(Found { module, expected }),
        Err(error @ FetchError::TooLarge) => {
            Err(Refusal::lasting(reasons::TOO_LARGE, error.to_string()))
        }
        Err(error @ FetchError::Address { .. }) => {
            Err(Refusal::lasting(reasons::FETCH_FAILED, error.to_string()))
        }
        Err(error) => Err(Refusal::transient(reasons::FETCH_FAILED, error.to_string())),
    }
}

fn digest(text: Option<&str>) -> Result<Option<Digest>, Refusal> {
    let read = |text: &str| {
        let refused = || {
            let message = format!("{text:?} is not sha256: and 64 lower-case hex characters");
            Refusal::lasting(reasons::DIGEST_MISMATCH, message)
        };
        ids::parse_digest(text).ok_or_else(refused)
    };
    text.map(read).transpose()
}
