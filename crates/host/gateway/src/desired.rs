//! What each device shall hold, from the applications and revisions that the caches show.
//!
//! The order and the fit are decided in `model`; here is who matches, and what is sent.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::{Selector, SelectorExt as _};
use wasmbed_crds::device::DeviceApplication;
use wasmbed_crds::{Application, ApplicationRevision, Device, desired};
use wasmbed_model::desired::{Candidate, Refusal, plan};
use wasmbed_model::ids::{parse_digest, parse_uid, uid_text};
use wasmbed_wire::limits::MANIFEST_BYTES_MAX;
use wasmbed_wire::{AppId, DesiredEntry, Digest, GuestState};

use crate::device_status::Facts;

#[cfg(test)]
mod tests;

/// What is sent of one revision.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Content {
    pub(crate) manifest: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) image_digest: Digest,
}

#[derive(Debug, PartialEq)]
struct Wanted {
    selector: Selector,
    candidate: Candidate,
}

/// All applications of the namespace, in the form in which devices are matched with them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    wanted: Vec<Wanted>,
    contents: HashMap<(AppId, u64), Content>,
    names: HashMap<AppId, String>,
}

/// What one device shall hold, and what it would hold if it could.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Desired {
    pub(crate) entries: Vec<DesiredEntry>,
    pub(crate) withheld: Vec<DeviceApplication>,
}

impl Plan {
    /// Reads applications and their revisions. What cannot be read is logged and left out.
    pub(crate) fn new(
        applications: &[Arc<Application>],
        revisions: &[Arc<ApplicationRevision>],
    ) -> Self {
        let mut made = Self::default();
        let mut by_name = HashMap::new();
        for revision in revisions {
            let Some((key, content)) = read_revision(revision) else {
                tracing::warn!(revision = revision.name_any(), "a revision cannot be read");
                continue;
            };
            made.contents.insert(key, content);
            by_name.insert(revision.name_any(), revision);
        }
        for application in applications {
            let Some(app) = application.uid().as_deref().and_then(parse_uid) else { continue };
            made.names.insert(app, application.name_any());
            let target =
                application.status.as_ref().and_then(|status| status.target_revision.as_ref());
            // Deleted, or not prepared yet.
            let Some(target) = target.filter(|_| application.metadata.deletion_timestamp.is_none())
            else {
                continue;
            };
            let revision = by_name.get(target);
            let candidate = revision.and_then(|revision| desired::candidate(application, revision));
            let selector = Selector::try_from(application.spec.selector.clone());
            if let (Some(candidate), Ok(selector)) = (candidate, selector) {
                made.wanted.push(Wanted { selector, candidate });
            }
        }
        // The caches have no order, and two plans are compared.
        made.wanted.sort_by_key(|wanted| wanted.candidate.app);
        made
    }

    /// What `device` shall hold, by what it said of itself in the session.
    pub(crate) fn desired(&self, device: &Device, facts: &Facts) -> Desired {
        let Some(budget) = facts.budget() else { return Desired::default() };
        let labels = device.labels();
        let candidates = self
            .wanted
            .iter()
            .filter(|wanted| wanted.selector.matches(labels))
            .map(|wanted| wanted.candidate.clone())
            .collect();
        let plan = plan(&budget, candidates);
        let entries = plan.accepted.iter().map(|entry| DesiredEntry {
            app: entry.candidate.app,
            generation: entry.candidate.revision.generation,
            run: entry.run,
            restart_token: entry.candidate.restart_token,
        });
        let now = Timestamp::now();
        let withheld = plan.refused.iter().map(|refusal| withheld(refusal, now));
        Desired { entries: entries.collect(), withheld: withheld.collect() }
    }

    /// What is sent of one revision.
    pub(crate) fn content(&self, app: &AppId, generation: u64) -> Option<&Content> {
        self.contents.get(&(*app, generation))
    }

    /// Name of the Application with this id.
    pub(crate) fn name_of(&self, app: &AppId) -> Option<&str> {
        self.names.get(app).map(String::as_str)
    }

    /// Id of the Application with this name.
    pub(crate) fn app_named(&self, name: &str) -> Option<AppId> {
        self.names.iter().find(|(_, held)| *held == name).map(|(app, _)| *app)
    }
}

fn read_revision(revision: &ApplicationRevision) -> Option<((AppId, u64), Content)> {
    let spec = &revision.spec;
    let app = parse_uid(&spec.application_ref.uid)?;
    let generation = u64::try_from(spec.generation).ok()?;
    let image_digest = parse_digest(&spec.image_digest)?;
    let manifest = BASE64.decode(&spec.manifest).ok()?;
    let signature = BASE64.decode(&spec.signature).ok()?;
    if manifest.len() > MANIFEST_BYTES_MAX || signature.len() != 64 {
        return None;
    }
    Some(((app, generation), Content { manifest, signature, image_digest }))
}

fn withheld(refusal: &Refusal, now: Timestamp) -> DeviceApplication {
    let candidate = &refusal.candidate;
    DeviceApplication {
        name: candidate.name.clone(),
        uid: uid_text(&candidate.app),
        generation: i64::try_from(candidate.revision.generation).unwrap_or(i64::MAX),
        image_digest: Some(candidate.revision.image.to_string()),
        state: GuestState::Refused.name().to_owned(),
        reason: refusal.reason.name().to_owned(),
        message: Some(refusal.message()),
        last_transition_time: Some(Time(now)),
        ..DeviceApplication::default()
    }
}
