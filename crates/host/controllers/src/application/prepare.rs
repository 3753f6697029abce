//! The revision of an Application: found, or made.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use wasmbed_crds::application_revision::{ApplicationRef, RevisionTemplate};
use wasmbed_crds::{
    Application, ApplicationRevision, ApplicationRevisionSpec, ApplicationSpec, LABEL_APPLICATION,
    condition,
};
use wasmbed_model::application::Freshness;
use wasmbed_model::condition::{Observation, kinds, reasons};
use wasmbed_model::ids::{self, Digest};
use wasmbed_model::image_store::{ImageStore, ImageStoreError};

use super::{Prepared, attempts::Refused};
use crate::context::Context;
use crate::module_source::{self, Answer, Found};
use crate::preparation::{self, Refusal, Signed, Subject};
use crate::status::{ReconcileError, is_code};

/// Finds the revision that the spec asks for, or makes it.
pub async fn prepare(
    app: &Application,
    uid: &str,
    ctx: &Context,
) -> Result<Prepared, ReconcileError> {
    let newest = revisions(app, uid, ctx).into_iter().max_by_key(|one| one.spec.generation);
    let template = template(&app.spec);
    if let Some(newest) = &newest
        && freshness(app, newest, &template).keeps_revision()
    {
        return keep(app, uid, Arc::clone(newest), ctx).await;
    }
    let generation = app.metadata.generation.unwrap_or_default();
    let refused = ctx.attempts.refused(uid, generation);
    if let Some(refused) = &refused
        && app.spec.image.config_map.is_none()
        && refused.retry_at.is_none_or(|retry_at| retry_at > (ctx.clock)())
    {
        return Ok(standing(app, refused, ctx));
    }
    let Some(answer) = find(app, refused.as_ref(), ctx).await? else {
        // The ConfigMap is as it was when it was refused.
        let refused = refused.as_ref().map(|refused| standing(app, refused, ctx));
        return refused.ok_or(ReconcileError::Cancelled);
    };
    if let Some(newest) = newest
        && newest.spec.template == template
        && let Ok(found) = &answer.found
        && newest.spec.module_digest == ids::sha256(&found.module).to_string()
    {
        return keep(app, uid, newest, ctx).await;
    }
    let version = answer.version.clone();
    let outcome = make(app, uid, answer, &template, ctx).await?;
    match outcome {
        Ok(revision) => {
            ctx.attempts.succeed(uid, Arc::clone(&revision));
            Ok(ready(revision))
        }
        Err(refusal) => {
            let now = (ctx.clock)();
            let refused = ctx.attempts.refuse(uid, generation, version, refusal, now);
            Ok(standing(app, &refused, ctx))
        }
    }
}

/// All revisions of the Application, the one that was just made included.
pub fn revisions(app: &Application, uid: &str, ctx: &Context) -> Vec<Arc<ApplicationRevision>> {
    let mut revisions = ctx.caches.revisions.state_filter(|revision| {
        revision.metadata.namespace == app.metadata.namespace
            && revision.spec.application_ref.uid == uid
    });
    let made = ctx.attempts.made(uid);
    revisions.extend(made.filter(|made| {
        !revisions.iter().any(|revision| revision.metadata.name == made.metadata.name)
    }));
    revisions
}

/// The part of the spec that is signed.
fn template(spec: &ApplicationSpec) -> RevisionTemplate {
    let mut capabilities = spec.capabilities.clone();
    capabilities.sort();
    RevisionTemplate {
        image: spec.image.clone(),
        limits: spec.limits,
        capabilities,
        config: spec.config.clone(),
        restart_policy: spec.restart_policy,
        priority: spec.priority,
    }
}

fn freshness(
    app: &Application,
    newest: &ApplicationRevision,
    template: &RevisionTemplate,
) -> Freshness {
    let generation = app.metadata.generation;
    let prepared =
        app.status.as_ref().and_then(|status| condition::find(&status.conditions, kinds::PREPARED));
    let answered = prepared.is_some_and(|prepared| {
        prepared.status == "True" && prepared.observed_generation == generation
    });
    Freshness {
        template_unchanged: newest.spec.template == *template,
        digest_pinned: module_source::pinned(&app.spec.image).is_some(),
        generation_answered: answered || Some(newest.spec.generation) == generation,
    }
}

/// The newest revision stays. Its image is made again where the store has lost it.
async fn keep(
    app: &Application,
    uid: &str,
    revision: Arc<ApplicationRevision>,
    ctx: &Context,
) -> Result<Prepared, ReconcileError> {
    let Some(digest) = ids::parse_digest(&revision.spec.image_digest) else {
        return Ok(ready(revision));
    };
    if blocking(ctx, move |images| images.contains(&digest)).await?? {
        return Ok(ready(revision));
    }
    tracing::warn!(revision = revision.name_any(), %digest, "the image is lost and is made again");
    let refusal = match find(app, None, ctx).await? {
        Some(answer) => remake(app, uid, answer, &revision, digest, ctx).await?,
        None => None,
    };
    Ok(match refusal {
        None => ready(revision),
        Some(refusal) => Prepared {
            observation: Observation::fails(kinds::PREPARED, refusal.reason, refusal.message),
            target: Some(revision),
            revisit: refusal.is_transient.then_some(Duration::from_secs(10)),
        },
    })
}

/// Makes a lost image again: the same bytes, or none.
async fn remake(
    app: &Application,
    uid: &str,
    answer: Answer,
    revision: &ApplicationRevision,
    digest: Digest,
    ctx: &Context,
) -> Result<Option<Refusal>, ReconcileError> {
    let found = match answer.found {
        Ok(found) => found,
        Err(refusal) => return Ok(Some(refusal)),
    };
    let Some(subject) = subject(app, uid, revision.spec.generation) else {
        return Ok(Some(unreadable_uid(uid)));
    };
    let found = Found { expected: ids::parse_digest(&revision.spec.module_digest), ..found };
    let signed = match sign(found, subject, revision.spec.template.clone(), ctx).await? {
        Ok(signed) => signed,
        Err(refusal) => return Ok(Some(refusal)),
    };
    if signed.image_digest != digest {
        let message = format!(
            "the image sha256:{digest} is lost, and this version of the compiler makes another one: \
             change the spec to have a new revision"
        );
        return Ok(Some(Refusal::lasting(reasons::IMAGE_LOST, message)));
    }
    blocking(ctx, move |images| store(images, &signed.image, &signed.source_map)).await??;
    Ok(None)
}

/// Compiles, signs and stores the module, and writes the revision.
async fn make(
    app: &Application,
    uid: &str,
    answer: Answer,
    template: &RevisionTemplate,
    ctx: &Context,
) -> Result<Result<Arc<ApplicationRevision>, Refusal>, ReconcileError> {
    let found = match answer.found {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let generation = app.metadata.generation.unwrap_or_default();
    let Some(subject) = subject(app, uid, generation) else {
        return Ok(Err(unreadable_uid(uid)));
    };
    let signed = match sign(found, subject, template.clone(), ctx).await? {
        Ok(signed) => signed,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (image, map) = (signed.image.clone(), signed.source_map.clone());
    let written = blocking(ctx, move |images| store(images, &image, &map)).await?;
    if let Err(error) = written {
        let cause = std::error::Error::source(&error).map_or(String::new(), ToString::to_string);
        return Ok(Err(Refusal::transient(reasons::STORE_FAILED, format!("{error}: {cause}"))));
    }
    let revision = revision(app, uid, generation, template, &signed);
    create(app, revision, ctx).await.map(Ok)
}

/// Writes the revision, or finds the one that is there under its name.
async fn create(
    app: &Application,
    revision: ApplicationRevision,
    ctx: &Context,
) -> Result<Arc<ApplicationRevision>, ReconcileError> {
    let (name, namespace) = (revision.name_any(), app.namespace().unwrap_or_default());
    let api: Api<ApplicationRevision> = Api::namespaced(ctx.client.clone(), &namespace);
    let params =
        PostParams { field_manager: Some(super::MANAGER.to_owned()), ..Default::default() };
    let conflict = match api.create(&params, &revision).await {
        Ok(created) => return Ok(Arc::new(created)),
        Err(error) if is_code(&error, 409) => error,
        Err(error) => return Err(ReconcileError::api("create the revision", name)(error)),
    };
    let existing = api.get(&name).await.map_err(ReconcileError::api("read the revision", &name))?;
    if existing.spec.application_ref.uid == revision.spec.application_ref.uid {
        return Ok(Arc::new(existing));
    }
    // Left over from an Application of the same name that is gone: out of the way, and again.
    let uid = existing.uid();
    let params =
        DeleteParams::background().preconditions(Preconditions { uid, resource_version: None });
    let deleted = api.delete(&name, &params).await;
    deleted.map_err(ReconcileError::api("delete the revision", &name))?;
    Err(ReconcileError::api("create the revision", name)(conflict))
}

fn revision(
    app: &Application,
    uid: &str,
    generation: i64,
    template: &RevisionTemplate,
    signed: &Signed,
) -> ApplicationRevision {
    let spec = ApplicationRevisionSpec {
        application_ref: ApplicationRef { name: app.name_any(), uid: uid.to_owned() },
        generation,
        template: template.clone(),
        module_digest: signed.module_digest.to_string(),
        image_digest: signed.image_digest.to_string(),
        image_bytes: signed.image.len() as i64,
        image_format: signed.image_format.into(),
        needs: signed.needs,
        host_interface: signed.host_interface.clone(),
        manifest: STANDARD.encode(&signed.manifest),
        signature: STANDARD.encode(signed.signature),
    };
    let mut revision = ApplicationRevision::new(&format!("{}-{generation}", app.name_any()), spec);
    revision.metadata.namespace = app.namespace();
    let owner = app.controller_owner_ref(&());
    revision.metadata.owner_references = owner.map(|mut owner| {
        owner.block_owner_deletion = Some(true);
        vec![owner]
    });
    revision.labels_mut().insert(LABEL_APPLICATION.to_owned(), app.name_any());
    revision
}

async fn find(
    app: &Application,
    refused: Option<&Refused>,
    ctx: &Context,
) -> Result<Option<Answer>, ReconcileError> {
    let namespace = app.namespace().unwrap_or_default();
    let known = refused.map(|refused| refused.version.as_str());
    module_source::find(&app.spec.image, &namespace, known, &ctx.client, &ctx.fetcher).await
}

/// Compiling takes a while: not on a thread that serves others.
async fn sign(
    found: Found,
    subject: Subject,
    template: RevisionTemplate,
    ctx: &Context,
) -> Result<Result<Signed, Refusal>, ReconcileError> {
    let signer = Arc::clone(&ctx.signer);
    let task = tokio::task::spawn_blocking(move || {
        preparation::prepare(&found.module, found.expected, &subject, &template, &signer)
    });
    task.await.map_err(|_| ReconcileError::Cancelled)
}

/// Keeps an image with its source map. The map goes first: where the image is, so is its map.
fn store(images: &dyn ImageStore, image: &[u8], map: &[u8]) -> Result<(), ImageStoreError> {
    images.write_source_map(&ids::sha256(image), map)?;
    images.write(image).map(|_| ())
}

async fn blocking<T: Send + 'static>(
    ctx: &Context,
    work: impl FnOnce(&dyn ImageStore) -> T + Send + 'static,
) -> Result<T, ReconcileError> {
    let images = Arc::clone(&ctx.images);
    let task = tokio::task::spawn_blocking(move || work(&*images));
    task.await.map_err(|_| ReconcileError::Cancelled)
}

fn subject(app: &Application, uid: &str, generation: i64) -> Option<Subject> {
    Some(Subject {
        namespace: app.namespace().unwrap_or_default(),
        name: app.name_any(),
        uid: ids::parse_uid(uid)?,
        generation: generation.try_into().ok()?,
    })
}

fn unreadable_uid(uid: &str) -> Refusal {
    Refusal::lasting(reasons::NOT_IMPLEMENTED, format!("the object's UID {uid:?} is not a UUID"))
}

/// The revision is there, and so is its image.
fn ready(revision: Arc<ApplicationRevision>) -> Prepared {
    let spec = &revision.spec;
    let message = format!(
        "revision {}: an image of {} bytes, which needs {} bytes of RAM on a device",
        revision.name_any(),
        spec.image_bytes,
        spec.needs.arena_bytes
    );
    let observation = Observation::holds(kinds::PREPARED, reasons::IMAGE_READY, message);
    Prepared { observation, target: Some(revision), revisit: None }
}

/// Preparing was refused: devices stay with what they were being brought to.
fn standing(app: &Application, refused: &Refused, ctx: &Context) -> Prepared {
    let Refused { refusal, retry_at, .. } = refused;
    let target = app.status.as_ref().and_then(|status| status.target_revision.as_deref());
    let target = target.and_then(|name| {
        let reference = ObjectRef::<ApplicationRevision>::new(name);
        let namespace = app.meta().namespace.as_deref().unwrap_or_default();
        ctx.caches.revisions.get(&reference.within(namespace))
    });
    let left = retry_at.map(|retry_at| retry_at.duration_since((ctx.clock)()));
    Prepared {
        observation: Observation::fails(kinds::PREPARED, refusal.reason, refusal.message.clone()),
        target: target.filter(|one| Some(&one.spec.application_ref.uid) == app.uid().as_ref()),
        revisit: left.map(|left| Duration::try_from(left).unwrap_or_default()),
    }
}
