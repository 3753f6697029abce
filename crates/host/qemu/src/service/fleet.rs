//! The boards that run, by the UID of their VirtualDevice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::AbortOnDropHandle;
use wasmbed_crds::VirtualDeviceStatus;

use crate::board::{Board, BoardStatus};

struct Entry {
    board: Board,
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

    pub(super) fn insert(&self, uid: &str, board: Board, reporter: AbortOnDropHandle<()>) {
        let entry = Entry { board, _reporter: reporter };
        self.entries().insert(uid.into(), entry);
    }

    /// Plugs the cable of a board in or out.
    pub(super) fn set_plugged(&self, uid: &str, is_plugged: bool) {
        if let Some(entry) = self.entries().get(uid) {
            entry.board.set_plugged(is_plugged);
        }
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
