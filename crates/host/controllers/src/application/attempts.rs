//! What preparing came to, kept in memory so that a lasting mistake is not made again and again,
//! and so that a revision just made is known before the watch brings it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use wasmbed_crds::ApplicationRevision;

use crate::context::retry_pause;
use crate::preparation::Refusal;

#[cfg(test)]
mod tests;

/// A preparation that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Generation of the Application.
    pub generation: i64,
    /// Version of the source that was looked at.
    pub version: String,
    /// Why.
    pub refusal: Refusal,
    /// When it makes sense to try again; never by time alone where nothing is said.
    pub retry_at: Option<Timestamp>,
    /// Refusals in a row.
    failures: u32,
}

#[derive(Default)]
struct Attempt {
    refused: Option<Refused>,
    made: Option<Arc<ApplicationRevision>>,
    written: Option<Timestamp>,
}

/// What preparing came to, by UID of the Application.
#[derive(Default)]
pub struct Attempts {
    by_uid: Mutex<HashMap<String, Attempt>>,
}

impl Attempts {
    /// The last refusal, if it was of this generation.
    pub fn refused(&self, uid: &str, generation: i64) -> Option<Refused> {
        let refused = self.with(uid, |attempt| attempt.refused.clone())?;
        Some(refused).filter(|refused| refused.generation == generation)
    }

    /// The revision that was made last.
    pub fn made(&self, uid: &str) -> Option<Arc<ApplicationRevision>> {
        self.with(uid, |attempt| attempt.made.clone())
    }

    /// Keeps a refusal, and answers it with the time of the next attempt.
    pub fn refuse(
        &self,
        uid: &str,
        generation: i64,
        version: String,
        refusal: Refusal,
        now: Timestamp,
    ) -> Refused {
        self.with(uid, |attempt| {
            let before = attempt.refused.as_ref().filter(|one| one.generation == generation);
            let failures = before.map_or(0, |before| before.failures);
            let pause = Some(retry_pause(failures)).filter(|_| refusal.is_transient);
            let retry_at = pause.and_then(|pause| now.checked_add(pause).ok());
            let refused =
                Refused { generation, version, refusal, retry_at, failures: failures + 1 };
            attempt.refused = Some(refused.clone());
            refused
        })
    }

    /// Keeps the revision that was made.
    pub fn succeed(&self, uid: &str, revision: Arc<ApplicationRevision>) {
        self.with(uid, |attempt| {
            attempt.refused = None;
            attempt.made = Some(revision);
        });
    }

    /// Notes that the status was written.
    pub fn wrote(&self, uid: &str, now: Timestamp) {
        self.with(uid, |attempt| attempt.written = Some(now));
    }

    /// How long to wait before the status is written again: nothing, or a part of `pause`.
    pub fn wait_to_write(&self, uid: &str, now: Timestamp, pause: Duration) -> Option<Duration> {
        let written = self.with(uid, |attempt| attempt.written)?;
        // A clock that was set back: as if it had been written just now.
        let age = Duration::try_from(now.duration_since(written)).unwrap_or_default();
        pause.checked_sub(age).filter(|left| !left.is_zero())
    }

    /// Forgets Applications that are gone.
    pub fn retain(&self, is_there: impl Fn(&str) -> bool) {
        let mut by_uid = self.by_uid.lock().unwrap_or_else(PoisonError::into_inner);
        by_uid.retain(|uid, _| is_there(uid));
    }

    fn with<T>(&self, uid: &str, look: impl FnOnce(&mut Attempt) -> T) -> T {
        let mut by_uid = self.by_uid.lock().unwrap_or_else(PoisonError::into_inner);
        look(by_uid.entry(uid.to_owned()).or_default())
    }
}
