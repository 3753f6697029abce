//! The one thread that writes. Requests that arrive while a commit is under way share the next.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use redb::{ReadableMultimapTable, ReadableTable};
use tokio::sync::{mpsc, oneshot};

use super::{
    Action, Change, DEPENDENTS, Draft, Event, Expect, Job, META, OBJECTS, ORPHANED, REVISION,
    Store, StoreError, Stored, Write,
};
use crate::limits;

type Reply = (oneshot::Sender<Result<Stored, StoreError>>, Result<Stored, StoreError>);

/// Serves jobs until every sender is gone.
pub(super) fn run(store: &Store, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    while let Some(first) = jobs.blocking_recv() {
        batch.push(first);
        while batch.len() < limits::WRITES_PER_COMMIT_MAX {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        commit(store, std::mem::take(&mut batch));
    }
    store.database.write().unwrap_or_else(PoisonError::into_inner).take();
}

/// Everything a batch did, to be shown only once it is on disk.
struct Done {
    replies: Vec<Reply>,
    events: Vec<Event>,
    revision: u64,
    orphaned: bool,
}

fn commit(store: &Store, batch: Vec<Job>) {
    let (writes, senders): (Vec<Write>, Vec<_>) =
        batch.into_iter().map(|job| (job.write, job.reply)).unzip();
    match store.recover().and_then(|()| perform(store, writes)) {
        Ok((results, done)) => {
            let replies = senders.into_iter().zip(results).collect();
            publish(store, Done { replies, ..done });
        }
        Err(error) => {
            tracing::error!(%error, "store: commit");
            store.has_failed.store(true, Ordering::Release);
            for sender in senders {
                // The client may have gone; then nobody waits for the answer.
                let _ = sender.send(Err(StoreError::Disk(error.to_string())));
            }
        }
    }
}

type Performed = (Vec<Result<Stored, StoreError>>, Done);

fn perform(store: &Store, writes: Vec<Write>) -> Result<Performed, StoreError> {
    let transaction = store.database()?.begin_write()?;
    let mut done = Done { replies: Vec::new(), events: Vec::new(), revision: 0, orphaned: false };
    let mut results = Vec::with_capacity(writes.len());
    {
        let mut tables = Tables {
            objects: transaction.open_table(OBJECTS)?,
            dependents: transaction.open_multimap_table(DEPENDENTS)?,
            orphaned: transaction.open_table(ORPHANED)?,
        };
        let mut meta = transaction.open_table(META)?;
        done.revision = meta.get(REVISION)?.map_or(0, |found| found.value());
        for write in writes {
            results.push(tables.apply(write, &mut done)?);
        }
        if !done.events.is_empty() {
            meta.insert(REVISION, done.revision)?;
        }
    }
    if done.events.is_empty() {
        transaction.abort()?;
    } else {
        transaction.commit()?;
    }
    Ok((results, done))
}

fn publish(store: &Store, done: Done) {
    let mut touched = Vec::new();
    for event in done.events {
        let history = store.history(&event.key.resource);
        history.push(event);
        if !touched.iter().any(|other| std::sync::Arc::ptr_eq(other, &history)) {
            touched.push(history);
        }
    }
    if !touched.is_empty() {
        store.revision.store(done.revision, Ordering::Release);
    }
    for history in touched {
        history.announce(done.revision);
    }
    if done.orphaned {
        store.orphaned.notify_one();
    }
    for (sender, result) in done.replies {
        // The client may have gone; then nobody waits for the answer.
        let _ = sender.send(result);
    }
}

struct Tables<'t> {
    objects: redb::Table<'t, &'static str, &'static [u8]>,
    dependents: redb::MultimapTable<'t, &'static str, &'static str>,
    orphaned: redb::Table<'t, &'static str, &'static str>,
}

impl Tables<'_> {
    /// Applies one write. The outer error ends the whole batch, the inner one only this write.
    fn apply(
        &mut self,
        write: Write,
        done: &mut Done,
    ) -> Result<Result<Stored, StoreError>, StoreError> {
        let key = write.key.encode();
        let before = self.objects.get(key.as_str())?.and_then(|value| super::decode(value.value()));
        match (write.expect, &before) {
            (Expect::Absent, Some(_)) => return Ok(Err(StoreError::Exists)),
            (Expect::Revision(_), None) => return Ok(Err(StoreError::Conflict)),
            (Expect::Revision(expected), Some(found)) if found.revision != expected => {
                return Ok(Err(StoreError::Conflict));
            }
            _ => {}
        }
        done.revision += 1;
        let json = stamp(&write.draft, done.revision);
        let change = match write.action {
            Action::Put => {
                let mut value = Vec::with_capacity(json.len() + 8);
                value.extend_from_slice(&done.revision.to_le_bytes());
                value.extend_from_slice(&json);
                self.objects.insert(key.as_str(), value.as_slice())?;
                if before.is_some() { Change::Modified } else { Change::Added }
            }
            Action::Delete => {
                self.objects.remove(key.as_str())?;
                if self.dependents.get(write.uid.as_str())?.next().is_some() {
                    self.orphaned.insert(write.uid.as_str(), "")?;
                }
                // An owner or a namespace may have waited for this object to go.
                done.orphaned = true;
                Change::Deleted
            }
        };
        for owner in &write.owners_removed {
            self.dependents.remove(owner.as_str(), key.as_str())?;
        }
        for owner in &write.owners_added {
            self.dependents.insert(owner.as_str(), key.as_str())?;
        }
        done.events.push(Event {
            revision: done.revision,
            change,
            key: write.key,
            json: json.clone(),
            before: before.map(|stored| stored.json),
        });
        Ok(Ok(Stored { revision: done.revision, json }))
    }
}

fn stamp(draft: &Draft, revision: u64) -> Bytes {
    let digits = revision.to_string();
    let (head, tail) = draft.json.split_at(draft.revision_at.min(draft.json.len()));
    let mut json = Vec::with_capacity(draft.json.len() + digits.len());
    json.extend_from_slice(head);
    json.extend_from_slice(digits.as_bytes());
    json.extend_from_slice(tail);
    json.into()
}
