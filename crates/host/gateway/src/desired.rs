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
use wasmbed_crds::{Application, ApplicationRevision, Device};
use wasmbed_model::desired::{Candidate, Refusal, Revision, plan};
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

#[derive(Debug)]
struct Wanted {
    selector: Selector,
    candidate: Candidate,
}

/// All applications of the namespace, in the form in which devices are matched with them.
#[derive(Debug, Default)]
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
            let Some((app, revision, content)) = read_revision(revision) else {
                tracing::warn!(revision = revision.name_any(), "a revision cannot be read");
                continue;
            };
            made.contents.insert((app, revision.generation), content);
            by_name.insert(revision.name.clone(), (app, revision));
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
            let Some((_, revision)) = by_name.get(target).filter(|(owner, _)| *owner == app) else {
                continue;
            };
            let Ok(selector) = Selector::try_from(application.spec.selector.clone()) else {
                tracing::warn!(application = application.name_any(), "a selector cannot be read");
                continue;
            };
            let candidate = candidate(application, app, revision.clone());
            made.wanted.push(Wanted { selector, candidate });
        }
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

fn read_revision(revision: &ApplicationRevision) -> Option<(AppId, Revision, Content)> {
    let spec = &revision.spec;
    let app = parse_uid(&spec.application_ref.uid)?;
    let image_digest = parse_digest(&spec.image_digest)?;
    let manifest = BASE64.decode(&spec.manifest).ok()?;
    let signature = BASE64.decode(&spec.signature).ok()?;
    if manifest.len() > MANIFEST_BYTES_MAX || signature.len() != 64 {
        return None;
    }
    let read = Revision {
        name: revision.name_any(),
        generation: u64::try_from(spec.generation).ok()?,
        image: image_digest,
        image_bytes: u32::try_from(spec.image_bytes).ok()?,
        image_format: u8::try_from(spec.image_format).ok()?,
        arena_bytes: u32::try_from(spec.needs.arena_bytes).ok()?,
    };
    Some((app, read, Content { manifest, signature, image_digest }))
}

fn candidate(application: &Application, app: AppId, revision: Revision) -> Candidate {
    let spec = &application.spec;
    let seconds = |time: &Time| time.0.as_second();
    Candidate {
        app,
        name: application.name_any(),
        created_s: application.metadata.creation_timestamp.as_ref().map_or(0, seconds),
        priority: spec.priority,
        suspend: spec.suspend,
        restart_token: spec.restarted_at.as_ref().map_or(0, restart_token),
        revision,
    }
}

/// The seconds of the time, which is as fine as the API writes it. 0: nobody asked for a restart.
fn restart_token(at: &Time) -> u32 {
    let [.., a, b, c, d] = at.0.as_second().to_be_bytes();
    u32::from_be_bytes([a, b, c, d]).max(1)
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
        restarts: 0,
        last_transition_time: Some(Time(now)),
    }
}
