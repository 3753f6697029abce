//! What happened to one resource lately, for watches: a ring that drops the oldest and says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::Key;
use crate::limits;

/// What happened to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// It is new.
    Added,
    /// It was there before.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Event {
    /// Version of the change.
    pub(crate) revision: u64,
    /// What happened.
    pub(crate) change: Change,
    /// Which object.
    pub(crate) key: Key,
    /// New state, or the last one with the version of its removal.
    pub(crate) json: Bytes,
    /// State before, for watches whose selector it matched.
    pub(crate) before: Option<Bytes>,
}

impl Event {
    fn bytes(&self) -> usize {
        self.json.len() + self.before.as_ref().map_or(0, Bytes::len) + 128
    }
}

/// The latest changes of one resource, in order of version.
pub(crate) struct History {
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
}

struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Newest version that was dropped: a watch that starts below it has missed something.
    floor: u64,
}

impl History {
    /// An empty history that knows nothing of changes up to `floor`.
    pub(crate) fn new(floor: u64) -> Self {
        let ring = Ring { events: VecDeque::new(), bytes: 0, floor };
        Self { ring: Mutex::new(ring), latest: watch::channel(floor).0 }
    }

    /// Adds a change; [`Self::announce`] wakes the watches.
    pub(crate) fn push(&self, event: Event) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += event.bytes();
        ring.events.push_back(Arc::new(event));
        while ring.events.len() > limits::HISTORY_EVENTS_MAX
            || (ring.bytes > limits::HISTORY_BYTES_MAX && ring.events.len() > 1)
        {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes -= oldest.bytes();
            ring.floor = oldest.revision;
        }
    }

    /// Forgets everything up to `revision`, of which some was never told: every watch begins anew.
    pub(crate) fn lose(&self, revision: u64) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        *ring = Ring { events: VecDeque::new(), bytes: 0, floor: revision };
        drop(ring);
        self.announce(revision);
    }

    /// Wakes every watch of this resource.
    pub(crate) fn announce(&self, revision: u64) {
        self.latest.send_replace(revision);
    }

    /// Receives the version of the newest change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Up to `count_max` changes after `revision`.
    ///
    /// # Errors
    /// The oldest version one can start from, if changes after `revision` were dropped.
    pub(crate) fn after(&self, revision: u64, count_max: usize) -> Result<Vec<Arc<Event>>, u64> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if revision < ring.floor {
            return Err(ring.floor);
        }
        let start = ring.events.partition_point(|event| event.revision <= revision);
        Ok(ring.events.iter().skip(start).take(count_max).cloned().collect())
    }
}
