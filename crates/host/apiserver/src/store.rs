//! Durable objects, one version counter for all of them, and a bounded history for watches.
//! Knows keys and bytes; what an object means is the callers' business.

mod history;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use redb::{
    Database, MultimapTableDefinition, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition,
};
use tokio::sync::{mpsc, oneshot};

pub(crate) use history::{Change, Event, History};

use crate::limits;

const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
/// Uid of an owner to the keys of its dependents.
const DEPENDENTS: MultimapTableDefinition<'_, &str, &str> =
    MultimapTableDefinition::new("dependents");
/// Uids of owners that are gone while dependents may be left, or, with their key, that wait for
/// their dependents to go: survives a crash of the collector.
const ORPHANED: TableDefinition<'_, &str, &str> = TableDefinition::new("orphaned");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const REVISION: &str = "revision";
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 1;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The object is not at the version the write started from.
    #[error("the object was changed meanwhile")]
    Conflict,
    /// There is an object under that key already.
    #[error("the key is taken")]
    Exists,
    /// The database refused.
    #[error("database: {0}")]
    Database(Box<redb::Error>),
    /// The file is not what was written to it.
    #[error("objects.redb is damaged; restore the folder from a copy, or start with an empty one")]
    Damaged,
    /// The database was written by another release.
    #[error("database format {found}, this release writes {FORMAT_VERSION}")]
    Format {
        /// Number found in the file.
        found: u64,
    },
    /// The writer has ended: the server is stopping.
    #[error("the store is closed")]
    Closed,
    /// The disk did not take what was to be written: it may be full. The next write tries again.
    #[error("not stored: {0}")]
    Disk(String),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// Where an object is kept.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    /// `GROUP/PLURAL`.
    pub(crate) resource: Arc<str>,
    /// Empty for cluster-scoped objects.
    pub(crate) namespace: String,
    /// Object name.
    pub(crate) name: String,
}

impl Key {
    fn encode(&self) -> String {
        format!("{}\0{}\0{}", self.resource, self.namespace, self.name)
    }

    /// The inverse of the encoding; `None` for what we never wrote.
    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '\0');
        let (resource, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { resource: resource.into(), namespace: namespace.into(), name: name.into() })
    }
}

/// An object as stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Version at which it was written last.
    pub(crate) revision: u64,
    /// JSON, with that version in `metadata.resourceVersion`.
    pub(crate) json: Bytes,
}

/// A serialised object that lacks its version, which only the writer knows.
#[derive(Debug)]
pub(crate) struct Draft {
    /// JSON with an empty `metadata.resourceVersion`.
    pub(crate) json: Vec<u8>,
    /// Where the digits of the version go.
    pub(crate) revision_at: usize,
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expect {
    /// No object under the key.
    Absent,
    /// The object at exactly this version.
    Revision(u64),
}

/// What a write does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Stores the draft.
    Put,
    /// Removes the object; the draft is its last state, for the watches.
    Delete,
}

/// One write.
#[derive(Debug)]
pub(crate) struct Write {
    /// What is written.
    pub(crate) key: Key,
    /// Condition.
    pub(crate) expect: Expect,
    /// Store or remove.
    pub(crate) action: Action,
    /// New or last state.
    pub(crate) draft: Draft,
    /// Uid of the object.
    pub(crate) uid: String,
    /// Owner uids that the object refers to from now on.
    pub(crate) owners_added: Vec<String>,
    /// Owner uids that it no longer refers to.
    pub(crate) owners_removed: Vec<String>,
}

struct Job {
    write: Write,
    reply: oneshot::Sender<Result<Stored, StoreError>>,
}

/// Opens the database, at the start and after an error of the disk.
type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// The store: reads from any task, writes through one thread that shares commits.
pub(crate) struct Store {
    /// `None` once the store is closed, so that another process can open the file; and after an
    /// error of the disk, until it could be opened again.
    database: RwLock<Option<Arc<Database>>>,
    opener: Opener,
    /// The database met an error of the disk: from then on it refuses everything until it is opened
    /// again.
    has_failed: AtomicBool,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    histories: Mutex<HashMap<Arc<str>, Arc<History>>>,
    revision: AtomicU64,
    opened_at: AtomicU64,
    /// Wakes the collector when uids were orphaned.
    pub(crate) orphaned: tokio::sync::Notify,
}

impl Store {
    /// Opens or makes the database below `directory` and starts its writer thread.
    pub(crate) fn open(
        directory: &Path,
    ) -> Result<(Arc<Self>, std::thread::JoinHandle<()>), StoreError> {
        let path = directory.join("objects.redb");
        Self::open_with(Box::new(move || {
            let mut builder = Database::builder();
            builder.set_cache_size(limits::CACHE_BYTES);
            Ok(builder.create(&path)?)
        }))
    }

    fn open_with(opener: Opener) -> Result<(Arc<Self>, std::thread::JoinHandle<()>), StoreError> {
        let (database, revision) = careful(|| open_verified(&opener))?;
        let (sender, receiver) = mpsc::channel(limits::WRITES_QUEUED_MAX);
        let store = Arc::new(Self {
            database: RwLock::new(Some(Arc::new(database))),
            opener,
            has_failed: AtomicBool::new(false),
            jobs: Mutex::new(Some(sender)),
            histories: Mutex::new(HashMap::new()),
            revision: AtomicU64::new(revision),
            opened_at: AtomicU64::new(revision),
            orphaned: tokio::sync::Notify::new(),
        });
        let for_writer = store.clone();
        let writer = std::thread::Builder::new()
            .name("apiserver-store".to_owned())
            .spawn(move || writer::run(&for_writer, receiver))
            .map_err(redb::Error::Io)?;
        Ok((store, writer))
    }

    /// Version of the newest change that watches can see.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Does one write; returns once it is on disk.
    pub(crate) async fn write(&self, write: Write) -> Result<Stored, StoreError> {
        let sender = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, answer) = oneshot::channel();
        let sender = sender.ok_or(StoreError::Closed)?;
        sender.send(Job { write, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Takes no further writes; the writer thread ends once what is queued is on disk.
    pub(crate) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Reads one object.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let objects = self.database()?.begin_read()?.open_table(OBJECTS)?;
        let found = objects.get(key.encode().as_str())?;
        Ok(found.and_then(|value| decode(value.value())))
    }

    /// A consistent view for a list.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = self.database()?.begin_read()?;
        let revision =
            transaction.open_table(META)?.get(REVISION)?.map_or(0, |found| found.value());
        Ok(Snapshot { transaction, revision })
    }

    /// The history of one resource.
    pub(crate) fn history(&self, resource: &Arc<str>) -> Arc<History> {
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(History::new(self.opened_at.load(Ordering::Acquire)));
        histories.entry(resource.clone()).or_insert_with(made).clone()
    }

    /// Uids of owners whose dependents still have to be looked at; with a key, the owner waits.
    pub(crate) fn orphaned_owners(&self) -> Result<Vec<(String, Option<Key>)>, StoreError> {
        let table = self.database()?.begin_read()?.open_table(ORPHANED)?;
        let entries = table.iter()?.map(|entry| {
            let (uid, key) = entry?;
            Ok((uid.value().to_owned(), Key::decode(key.value())))
        });
        entries.collect()
    }

    /// Keys of the objects that name `owner` as theirs.
    pub(crate) fn dependents(&self, owner: &str) -> Result<Vec<Key>, StoreError> {
        let table = self.database()?.begin_read()?.open_multimap_table(DEPENDENTS)?;
        let mut keys = Vec::new();
        for entry in table.get(owner)? {
            keys.extend(Key::decode(entry?.value()));
        }
        Ok(keys)
    }

    /// Remembers that `owner` is gone, or waits under its key.
    pub(crate) fn mark_orphaned(&self, owner: &str, key: Option<&Key>) -> Result<(), StoreError> {
        let key = key.map(Key::encode).unwrap_or_default();
        let transaction = self.database()?.begin_write()?;
        transaction.open_table(ORPHANED)?.insert(owner, key.as_str())?;
        transaction.commit()?;
        self.orphaned.notify_one();
        Ok(())
    }

    /// Forgets an owner whose dependents are dealt with.
    pub(crate) fn forget_orphaned(&self, owner: &str) -> Result<(), StoreError> {
        let transaction = self.database()?.begin_write()?;
        transaction.open_table(ORPHANED)?.remove(owner)?;
        transaction.commit()?;
        Ok(())
    }

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match database.clone() {
            Some(database) => Ok(database),
            None if self.has_failed.load(Ordering::Acquire) => {
                Err(StoreError::Disk("the database could not be opened again yet".to_owned()))
            }
            None => Err(StoreError::Closed),
        }
    }

    /// Opens the database anew if the disk failed. For the writer, between two batches: what was not
    /// acknowledged may be on the disk or not, so the disk says which version is the newest.
    fn recover(&self) -> Result<(), StoreError> {
        if !self.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The file is locked as long as it is open.
        drop(slot.take());
        let (database, revision) = careful(|| {
            let database = (self.opener)()?;
            let meta = database.begin_read()?.open_table(META)?;
            let revision = meta.get(REVISION)?.map_or(0, |found| found.value());
            Ok((database, revision))
        })?;
        let known = self.revision();
        if revision < known {
            return Err(StoreError::Damaged);
        }
        *slot = Some(Arc::new(database));
        drop(slot);
        if revision > known {
            // On the disk all the same: watches were not told, so they have to list again.
            let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
            self.opened_at.store(revision, Ordering::Release);
            self.revision.store(revision, Ordering::Release);
            histories.values_mut().for_each(|history| history.lose(revision));
        }
        self.has_failed.store(false, Ordering::Release);
        tracing::warn!("the database is open again");
        Ok(())
    }
}

/// Some damage is met by a panic in the database, which must not end the process with one.
fn careful<T>(open: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)).map_err(|_| StoreError::Damaged)?
}

/// Opens the database and reads all of it once: what is damaged is refused before anybody relies
/// on the rest.
fn open_verified(opener: &Opener) -> Result<(Database, u64), StoreError> {
    let mut database = opener()?;
    if !database.check_integrity()? {
        tracing::warn!("the database was repaired");
    }
    let revision = initialise(&database)?;
    Ok((database, revision))
}

fn initialise(database: &Database) -> Result<u64, StoreError> {
    let transaction = database.begin_write()?;
    let revision = {
        transaction.open_table(OBJECTS)?;
        transaction.open_multimap_table(DEPENDENTS)?;
        transaction.open_table(ORPHANED)?;
        let mut meta = transaction.open_table(META)?;
        let format = meta.get(FORMAT)?.map(|found| found.value());
        match format {
            None => {
                meta.insert(FORMAT, FORMAT_VERSION)?;
                // Version 0 means "any" in the Kubernetes API, so counting starts above it.
                meta.insert(REVISION, 1)?;
            }
            Some(FORMAT_VERSION) => {}
            Some(found) => return Err(StoreError::Format { found }),
        }
        meta.get(REVISION)?.map_or(1, |found| found.value())
    };
    transaction.commit()?;
    Ok(revision)
}

fn decode(value: &[u8]) -> Option<Stored> {
    let (revision, json) = value.split_first_chunk::<8>()?;
    Some(Stored { revision: u64::from_le_bytes(*revision), json: Bytes::copy_from_slice(json) })
}

/// A consistent view of all objects at one version.
pub(crate) struct Snapshot {
    transaction: ReadTransaction,
    /// The version.
    pub(crate) revision: u64,
}

/// Which objects a list covers, and from where on.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    prefix: String,
    after: Option<String>,
}

impl Range {
    /// All objects of a resource, or those of one namespace.
    pub(crate) fn new(resource: &str, namespace: Option<&str>) -> Self {
        let prefix = match namespace {
            Some(namespace) => format!("{resource}\0{namespace}\0"),
            None => format!("{resource}\0"),
        };
        Self { prefix, after: None }
    }

    /// Narrows the range to names that begin with `name`.
    pub(crate) fn narrow(&mut self, name: &str) {
        self.prefix.push_str(name);
    }

    /// Goes on behind the object that `last` names.
    pub(crate) fn go_on_after(&mut self, last: &Key) {
        self.after = Some(last.encode());
    }
}

impl Snapshot {
    /// Visits objects in key order until `visit` answers false; true if the range was exhausted.
    pub(crate) fn scan(
        &self,
        range: &Range,
        mut visit: impl FnMut(Key, &[u8]) -> bool,
    ) -> Result<bool, StoreError> {
        let table = self.transaction.open_table(OBJECTS)?;
        let from = match &range.after {
            Some(after) => std::ops::Bound::Excluded(after.as_str()),
            None => std::ops::Bound::Included(range.prefix.as_str()),
        };
        for entry in table.range::<&str>((from, std::ops::Bound::Unbounded))? {
            let (key, value) = entry?;
            if !key.value().starts_with(&range.prefix) {
                return Ok(true);
            }
            let (Some(key), Some((_, json))) =
                (Key::decode(key.value()), value.value().split_first_chunk::<8>())
            else {
                continue;
            };
            if !visit(key, json) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
