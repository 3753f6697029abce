//! The boards that run, by the UID of their VirtualDevice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio_util::task::AbortOnDropHandle;
use wasmbed_crds::VirtualDeviceStatus;
use wasmbed_crds::virtual_device::LineCounters;

use crate::board::{Board, BoardError, BoardStatus};
use crate::impairment::Impairment;

struct Entry {
    board: Board,
    impairment: Impairment,
    /// The `resetAt` that it has followed.
    reset_at: Option<Time>,
    /// Reports each change of the board's status.
    _reporter: AbortOnDropHandle<()>,
}

/// Where one reporting of a VirtualDevice ended; held during the next.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) status: Option<VirtualDeviceStatus>,
    pub(super) device: Option<String>,
}

#[derive(Default)]
pub(crate) struct Fleet {
    entries: Mutex<HashMap<String, Entry>>,
    reported: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Reported>>>>,
}

impl Fleet {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // No entry is ever left half changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the board fares; nothing if it does not run.
    pub(super) fn status(&self, uid: &str) -> Option<BoardStatus> {
        let entries = self.entries();
        let entry = entries.get(uid)?;
        let status = entry.board.status().borrow().clone();
        Some(status)
    }

    /// Takes in a board that has just been started, which is worth a reset.
    pub(super) fn insert(
        &self,
        uid: &str,
        board: Board,
        impairment: Impairment,
        reset_at: Option<Time>,
        reporter: AbortOnDropHandle<()>,
    ) {
        let entry = Entry { board, impairment, reset_at, _reporter: reporter };
        self.entries().insert(uid.into(), entry);
    }

    /// Plugs the cable of a board in or out.
    pub(super) fn set_plugged(&self, uid: &str, is_plugged: bool) {
        if let Some(entry) = self.entries().get(uid) {
            entry.board.set_plugged(is_plugged);
        }
    }

    /// Makes the line of a board this good or bad; answers whether that is news.
    pub(super) fn set_impairment(&self, uid: &str, impairment: Impairment) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(uid) else { return false };
        entry.board.set_impairment(impairment);
        std::mem::replace(&mut entry.impairment, impairment) != impairment
    }

    /// Presses the reset button of a board, unless it has followed this `resetAt` already.
    pub(super) async fn reset(&self, uid: &str, wanted: &Time) -> Result<(), BoardError> {
        let pressed = match self.entries().get(uid) {
            Some(entry) if entry.reset_at.as_ref() != Some(wanted) => entry.board.reset(),
            _ => return Ok(()),
        };
        match pressed.await {
            // It is about to start, which is as good.
            Ok(()) | Err(BoardError::NotRunning) => {}
            Err(error) => return Err(error),
        }
        if let Some(entry) = self.entries().get_mut(uid) {
            entry.reset_at = Some(wanted.clone());
        }
        Ok(())
    }

    /// What has passed the line of a board.
    pub(super) fn passed(&self, uid: &str) -> Option<LineCounters> {
        let entries = self.entries();
        let (up, down, harm) = entries.get(uid)?.board.passed();
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        Some(LineCounters {
            up: count(up),
            down: count(down),
            lost: count(harm.lost),
            duplicated: count(harm.doubled),
            corrupted: count(harm.garbled),
        })
    }

    /// The `resetAt` that a board has followed.
    pub(super) fn reset_at(&self, uid: &str) -> Option<Time> {
        self.entries().get(uid).and_then(|entry| entry.reset_at.clone())
    }

    /// Makes the sensors of a board measure these, in the order of its configuration.
    pub(super) fn set_temperatures(&self, uid: &str, millidegrees: Vec<i32>) {
        if let Some(entry) = self.entries().get(uid) {
            entry.board.set_temperatures(millidegrees);
        }
    }

    /// Connects a board to the gateway at an address. It notices a session that ends, no more.
    pub(super) fn set_gateway(&self, uid: &str, gateway: &str) {
        if let Some(entry) = self.entries().get(uid) {
            entry.board.set_gateway(gateway);
        }
    }

    /// Stops a board, if it runs, and waits until it has.
    pub(super) async fn stop(&self, uid: &str) {
        let entry = self.entries().remove(uid);
        if let Some(entry) = entry {
            entry.board.stop().await;
        }
    }

    /// Stops all boards; answers the UIDs of those that ran.
    pub(super) async fn stop_all(&self) -> Vec<String> {
        let entries: Vec<(String, Entry)> = self.entries().drain().collect();
        let stopped = entries.into_iter().map(|(uid, entry)| async {
            entry.board.stop().await;
            uid
        });
        futures::future::join_all(stopped).await
    }

    /// What was last reported of a VirtualDevice.
    pub(super) fn reported(&self, uid: &str) -> Arc<tokio::sync::Mutex<Reported>> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(reported.entry(uid.into()).or_default())
    }

    /// Forgets a VirtualDevice that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}
