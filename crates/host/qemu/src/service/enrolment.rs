//! The Enrollment of a VirtualDevice: one token, used once, that only the device ever sees.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::{Resource, ResourceExt};
use wasmbed_crds::{Device, Enrollment, EnrollmentSpec, LABEL_ALIAS, VirtualDevice};
use wasmbed_model::ids::sha256;

use super::{Context, FIELD_MANAGER, ReconcileError};

/// File that holds a token from before its Enrollment exists until the flash holds it.
const TOKEN_FILE: &str = "token";

/// Longest value of a label, and so of an alias.
const LABEL_CHARS_MAX: usize = 63;

fn name(device: &VirtualDevice) -> String {
    format!("vd-{}", device.name_any())
}

fn api<K>(context: &Context, device: &VirtualDevice) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    Api::namespaced(context.client.clone(), &device.namespace().unwrap_or_default())
}

/// The Enrollment that was made for `device`, if there is one.
pub(super) async fn find(
    context: &Context,
    device: &VirtualDevice,
) -> Result<Option<Enrollment>, ReconcileError> {
    let name = name(device);
    let found = api::<Enrollment>(context, device).get_opt(&name).await;
    let found = found.map_err(|error| ReconcileError::Api("read the enrollment", error))?;
    match found {
        Some(found) if !is_owned(&found, device) => Err(ReconcileError::EnrollmentTaken { name }),
        other => Ok(other),
    }
}

fn is_owned(enrollment: &Enrollment, device: &VirtualDevice) -> bool {
    let uid = device.uid();
    enrollment.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref())
}

/// The Device that used `enrollment`.
pub(super) fn device_name(enrollment: &Enrollment) -> Option<String> {
    let uses = &enrollment.status.as_ref()?.uses;
    uses.first().map(|used| used.device.clone())
}

/// Makes sure that there is an unused Enrollment for a flash that is yet to be made, and returns its
/// token. What a former flash enrolled as is deleted: its key is gone.
pub(super) async fn prepare(
    context: &Context,
    device: &VirtualDevice,
    directory: &Path,
) -> Result<String, ReconcileError> {
    let token = token(directory)?;
    let digest = sha256(token.as_bytes()).to_string();
    if let Some(found) = find(context, device).await? {
        if found.spec.token_sha256 == digest {
            return Ok(token);
        }
        delete_device(context, device, device_name(&found)).await?;
        delete(context, device, &found).await?;
    }
    let owner = device.controller_owner_ref(&()).ok_or(ReconcileError::Incomplete("uid"))?;
    let mut labels = device.spec.labels.clone();
    let alias = device.name_any();
    if alias.len() <= LABEL_CHARS_MAX {
        labels.insert(LABEL_ALIAS.into(), alias);
    }
    let mut enrollment = Enrollment::new(
        &name(device),
        EnrollmentSpec {
            token_sha256: digest,
            max_uses: 1,
            expires_at: None,
            labels,
            auto_approve: true,
        },
    );
    enrollment.metadata.owner_references = Some(vec![owner]);
    let parameters =
        PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let created = api(context, device).create(&parameters, &enrollment).await;
    created.map_err(|error| ReconcileError::Api("create the enrollment", error))?;
    Ok(token)
}

/// Forgets the token: the flash holds it now.
pub(super) fn forget_token(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(TOKEN_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The token that is being used, or a new one. Kept until then, so that a manager that is killed in
/// between goes on with the Enrollment it has made.
fn token(directory: &Path) -> io::Result<String> {
    let path = directory.join(TOKEN_FILE);
    match fs::read_to_string(&path) {
        Ok(token) if token.len() == 32 => return Ok(token),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // Torn while it was written, so nobody has used it.
        Ok(_) => fs::remove_file(&path)?,
        Err(_) => {}
    }
    let bytes: [u8; 16] = rand::random();
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

/// Deletes the Enrollment of a VirtualDevice and the Device that used it.
pub(super) async fn remove(
    context: &Context,
    device: &VirtualDevice,
) -> Result<(), ReconcileError> {
    let found = match find(context, device).await {
        Err(ReconcileError::EnrollmentTaken { .. }) => None,
        other => other?,
    };
    let recorded = device.status.as_ref().and_then(|status| status.device.clone());
    let enrolled = found.as_ref().and_then(device_name).or(recorded);
    delete_device(context, device, enrolled).await?;
    match found {
        Some(found) => delete(context, device, &found).await,
        None => Ok(()),
    }
}

async fn delete(
    context: &Context,
    device: &VirtualDevice,
    enrollment: &Enrollment,
) -> Result<(), ReconcileError> {
    let uid = enrollment.uid();
    let preconditions = Preconditions { uid, resource_version: None };
    let parameters = DeleteParams::default().preconditions(preconditions);
    let deleted =
        api::<Enrollment>(context, device).delete(&enrollment.name_any(), &parameters).await;
    accept_missing(deleted.map(drop), "delete the enrollment")
}

async fn delete_device(
    context: &Context,
    device: &VirtualDevice,
    name: Option<String>,
) -> Result<(), ReconcileError> {
    let Some(name) = name else { return Ok(()) };
    let deleted = api::<Device>(context, device).delete(&name, &DeleteParams::default()).await;
    accept_missing(deleted.map(drop), "delete the device")
}

fn accept_missing(
    result: Result<(), kube::Error>,
    what: &'static str,
) -> Result<(), ReconcileError> {
    match result {
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        other => other.map_err(|error| ReconcileError::Api(what, error)),
    }
}
