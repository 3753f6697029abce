//! Whether a key may have a session: by its Device, by an Enrollment's token, or by a pairing window.
//!
//! What the messages look like is `session`'s business.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Resource as _, ResourceExt as _};
use tokio::sync::Mutex;
use tokio::time::timeout;
use wasmbed_crds::enrollment::EnrollmentUse;
use wasmbed_crds::{Device, DeviceSpec, Enrollment, LABEL_BOARD};
use wasmbed_model::enrollment;
use wasmbed_model::ids::{device_name, sha256};
use wasmbed_model::session::next_epoch;
use wasmbed_wire::{PublicKey, RefusedReason};

use crate::cluster::Cluster;
use crate::device_status::Facts;
use crate::session::HelloFacts;
use crate::status_writer;
use crate::{last_reset, limits};

#[cfg(test)]
mod tests;

/// Field manager of what enrolment writes.
const FIELD_MANAGER: &str = "wasmbed-gateway";

/// What was decided about a key.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It has the newest session of this Device; the facts are those written to its status.
    Admitted { device: Box<Device>, facts: Box<Facts> },
    /// No Device has this key.
    Stranger,
    /// It may not have a session.
    Refused(RefusedReason),
}

/// Why a question to the control plane has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    #[error("read or write {kind} {name}")]
    Api { kind: &'static str, name: String, source: kube::Error },
    /// Others kept changing the same object.
    #[error("{kind} {name} changed at each of {tries} attempts")]
    Contended { kind: &'static str, name: String, tries: u32 },
}

/// Decides about keys in one namespace, for one gateway process.
pub(crate) struct Admissions<'a> {
    pub(crate) cluster: &'a Cluster,
    /// Name of this process.
    pub(crate) process: &'a str,
    /// One token is used at a time, so that only other processes can get in between: a batch of
    /// devices with one token would else keep each other from it.
    pub(crate) redeeming: &'a Mutex<()>,
    pub(crate) events: &'a Recorder,
}

/// Whether a Device still waits for its first approval: it is disabled and never had a session.
pub(crate) fn is_pending(device: &Device) -> bool {
    !device.spec.enabled && device.status.as_ref().is_none_or(|status| status.epoch.is_none())
}

/// Why a Device may not have a session, if it may not.
fn refusal(device: &Device, key: &PublicKey) -> Option<RefusedReason> {
    if device.spec.public_key != BASE64.encode(key.0) {
        // Another key owns this name: 80 bits collided, or someone made the object by hand.
        tracing::error!(device = device.name_any(), "the key differs from that of its Device");
        return Some(RefusedReason::Revoked);
    }
    if device.spec.enabled && device.metadata.deletion_timestamp.is_none() {
        return None;
    }
    Some(if is_pending(device) { RefusedReason::PendingApproval } else { RefusedReason::Revoked })
}

impl Admissions<'_> {
    /// Decides about a key that said Hello.
    pub(crate) async fn lookup(
        &self,
        key: &PublicKey,
        hello: &HelloFacts,
    ) -> Result<Admission, AdmissionError> {
        // Right after a start the caches need a moment, and a device should not wait for its next
        // attempt because of it.
        if timeout(limits::SYNC_WAIT, self.cluster.synced()).await.is_err() {
            return Ok(Admission::Refused(RefusedReason::ControlPlaneUnavailable));
        }
        match self.cluster.device(&device_name(key)) {
            None => Ok(Admission::Stranger),
            Some(device) => self.admit(Device::clone(&device), key, hello).await,
        }
    }

    /// Decides about a stranger that asks to become a Device.
    pub(crate) async fn enroll(
        &self,
        key: &PublicKey,
        hello: &HelloFacts,
        token: Option<&str>,
    ) -> Result<Admission, AdmissionError> {
        let name = device_name(key);
        let devices: Api<Device> = self.cluster.api();
        let standing = devices.get_opt(&name).await.map_err(api_error("Device", &name))?;
        if let Some(device) = standing {
            return self.admit(device, key, hello).await;
        }
        let terms = match token {
            Some(token) => self.redeem(key, &name, token).await?,
            None => self.pairing(),
        };
        let Terms { labels, approved, through } = match terms {
            Ok(terms) => terms,
            Err(reason) => return Ok(Admission::Refused(reason)),
        };
        let mut device = Device::new(
            &name,
            DeviceSpec {
                public_key: BASE64.encode(key.0),
                board: hello.board.clone(),
                enabled: approved,
            },
        );
        device.labels_mut().extend(labels);
        device.labels_mut().insert(LABEL_BOARD.to_owned(), hello.board.clone());
        let created = match devices.create(&post(), &device).await {
            Err(kube::Error::Api(status)) if status.code == 409 => devices.get(&name).await,
            created => created,
        };
        let created = created.map_err(api_error("Device", &name))?;
        tracing::info!(device = name, board = hello.board, approved, through, "enrolled");
        self.tell(&created, approved, &through);
        self.admit(created, key, hello).await
    }

    /// Tells people about a new Device. Nothing waits for it, and nothing depends on it.
    fn tell(&self, device: &Device, approved: bool, through: &str) {
        let wait = if approved { "" } else { "; it waits for spec.enabled to be set" };
        let note = format!("enrolled through {through}{wait}");
        self.publish(device, EventType::Normal, "Enrolled", "Enroll", note);
    }

    /// Tells people about a start that nobody wanted, once.
    fn complain(&self, before: Option<i64>, device: &Device, hello: &HelloFacts) {
        let reset = device.status.as_ref().and_then(|status| status.last_reset.as_ref());
        let note = reset.and_then(|reset| last_reset::complaint(reset, hello.reset_reason));
        if let Some(note) = note.filter(|_| before != Some(hello.boot_count.into())) {
            let reason = hello.reset_reason.name();
            self.publish(device, EventType::Warning, reason, "Start", note);
        }
    }

    fn publish(&self, device: &Device, type_: EventType, reason: &str, action: &str, note: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: action.to_owned(),
            secondary: None,
        };
        let (events, reference) = (self.events.clone(), device.object_ref(&()));
        tokio::spawn(async move {
            if let Err(error) = events.publish(&event, &reference).await {
                tracing::warn!(%error, "write an event");
            }
        });
    }

    /// Makes this session the newest of the device, if the key may have one.
    async fn admit(
        &self,
        mut device: Device,
        key: &PublicKey,
        hello: &HelloFacts,
    ) -> Result<Admission, AdmissionError> {
        let name = device.name_any();
        let devices: Api<Device> = self.cluster.api();
        for _ in 0..limits::STATUS_TRIES_MAX {
            if let Some(reason) = refusal(&device, key) {
                return Ok(Admission::Refused(reason));
            }
            let facts = self.facts(&device, hello);
            let before = device.status.as_ref().and_then(|status| status.boot_count);
            match status_writer::apply(self.cluster, self.process, &device, &facts).await {
                Ok(device) => {
                    self.complain(before, &device, hello);
                    let (device, facts) = (Box::new(device), Box::new(facts));
                    return Ok(Admission::Admitted { device, facts });
                }
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    let fresh = devices.get_opt(&name).await.map_err(api_error("Device", &name))?;
                    match fresh {
                        Some(fresh) => device = fresh,
                        None => return Ok(Admission::Stranger),
                    }
                }
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    return Ok(Admission::Stranger);
                }
                Err(error) => return Err(api_error("Device", &name)(error)),
            }
        }
        Err(AdmissionError::Contended { kind: "Device", name, tries: limits::STATUS_TRIES_MAX })
    }

    fn facts(&self, device: &Device, hello: &HelloFacts) -> Facts {
        let status = device.status.as_ref();
        let stored = status.and_then(|status| status.epoch);
        let stored = stored.and_then(|epoch| u64::try_from(epoch).ok());
        // A device may remember more than a status that was restored from a backup, but what it
        // claims is bounded, so that it cannot use up the numbers.
        let epoch = next_epoch(stored, hello.last_epoch.min(limits::EPOCH_TOLD_MAX));
        let carried = status.map(|status| status.applications.clone()).unwrap_or_default();
        Facts::begin(epoch, hello.clone(), carried)
    }

    fn pairing(&self) -> Result<Terms, RefusedReason> {
        let gateway = self.cluster.gateway().ok_or(RefusedReason::PairingClosed)?;
        let pairing = gateway.spec.pairing.as_ref().ok_or(RefusedReason::PairingClosed)?;
        let is_open = pairing.until.as_ref().is_some_and(|until| Timestamp::now() < until.0);
        if !is_open {
            return Err(RefusedReason::PairingClosed);
        }
        if !pairing.auto_approve && self.cluster.pending_count() >= limits::PENDING_DEVICES_MAX {
            return Err(RefusedReason::Busy);
        }
        Ok(Terms {
            labels: pairing.labels.clone(),
            approved: pairing.auto_approve,
            through: "the pairing window".to_owned(),
        })
    }

    /// Uses a token for a key: a compare-and-swap on the Enrollment's status records the key.
    async fn redeem(
        &self,
        key: &PublicKey,
        device: &str,
        token: &str,
    ) -> Result<Result<Terms, RefusedReason>, AdmissionError> {
        let enrollments: Api<Enrollment> = self.cluster.api();
        let _turn = self.redeeming.lock().await;
        let Some(mut enrollment) = self.find(&enrollments, token).await? else {
            return Ok(Err(RefusedReason::TokenUnknown));
        };
        let name = enrollment.name_any();
        for _ in 0..limits::ENROLL_TRIES_MAX {
            match record_use(&mut enrollment, key, device, Timestamp::now()) {
                Use::Refused(reason) => return Ok(Err(reason)),
                Use::Known => return Ok(Ok(terms(&enrollment))),
                Use::Recorded => {}
            }
            match enrollments.replace_status(&name, &post(), &enrollment).await {
                Ok(enrollment) => return Ok(Ok(terms(&enrollment))),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    return Ok(Err(RefusedReason::TokenUnknown));
                }
                Err(error) => return Err(api_error("Enrollment", &name)(error)),
            }
            let fresh = enrollments.get_opt(&name).await.map_err(api_error("Enrollment", &name))?;
            match fresh {
                Some(fresh) => enrollment = fresh,
                None => return Ok(Err(RefusedReason::TokenUnknown)),
            }
        }
        Err(AdmissionError::Contended { kind: "Enrollment", name, tries: limits::ENROLL_TRIES_MAX })
    }

    /// The Enrollment of a token. One that was made just now may not be in the cache yet.
    async fn find(
        &self,
        enrollments: &Api<Enrollment>,
        token: &str,
    ) -> Result<Option<Enrollment>, AdmissionError> {
        let digest = sha256(token.as_bytes()).to_string();
        if let Some(enrollment) = self.cluster.enrollment(&digest) {
            return Ok(Some(Enrollment::clone(&enrollment)));
        }
        let listed = enrollments.list(&ListParams::default()).await;
        let listed = listed.map_err(api_error("Enrollment", ""))?;
        Ok(listed.into_iter().find(|enrollment| enrollment.spec.token_sha256 == digest))
    }
}

/// What a new Device gets.
struct Terms {
    labels: BTreeMap<String, String>,
    /// Whether it is enabled at once.
    approved: bool,
    /// What let it in, for people.
    through: String,
}

fn terms(enrollment: &Enrollment) -> Terms {
    Terms {
        labels: enrollment.spec.labels.clone(),
        approved: enrollment.spec.auto_approve,
        through: format!("Enrollment {}", enrollment.name_any()),
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Use {
    /// The key used this token before.
    Known,
    /// The use was added and has to be written.
    Recorded,
    Refused(RefusedReason),
}

/// Adds a use to an Enrollment's status, if it allows one more.
fn record_use(enrollment: &mut Enrollment, key: &PublicKey, device: &str, now: Timestamp) -> Use {
    if enrollment.metadata.deletion_timestamp.is_some() {
        return Use::Refused(RefusedReason::TokenUnknown);
    }
    let public_key = BASE64.encode(key.0);
    let spec = &enrollment.spec;
    let status = enrollment.status.get_or_insert_default();
    let terms = enrollment::Enrollment {
        uses_max: u64::try_from(spec.max_uses.min(wasmbed_crds::limits::ENROLLMENT_USES_MAX))
            .unwrap_or(0),
        expires_s: spec.expires_at.as_ref().map(|end| end.0.as_second()),
        used_by: status.uses.iter().map(|used| used.public_key.as_str()).collect(),
    };
    match enrollment::decide(&terms, &public_key, now.as_second()) {
        enrollment::Decision::Refuse(reason) => return Use::Refused(reason),
        enrollment::Decision::UsedBefore => return Use::Known,
        enrollment::Decision::Use => {}
    }
    let device = device.to_owned();
    status.uses.push(EnrollmentUse { public_key, device, time: Some(Time(now)) });
    status.used = i64::try_from(status.uses.len()).ok();
    Use::Recorded
}

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn api_error(kind: &'static str, name: &str) -> impl FnOnce(kube::Error) -> AdmissionError + use<> {
    let name = name.to_owned();
    move |source| AdmissionError::Api { kind, name, source }
}
