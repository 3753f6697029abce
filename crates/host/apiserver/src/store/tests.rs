//! A disk that fails: nothing is acknowledged then, and once it works again everything goes on.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::{Action, Change, Database, Draft, Expect, Key, Store, StoreError, Write};

/// A disk that fails: a file that refuses to grow, or to be synced, as long as it is told to.
#[derive(Clone, Debug, Default)]
struct Failing(Arc<AtomicU8>);

const WORKS: u8 = 0;
const IS_FULL: u8 = 1;
/// What was written is there, but the disk does not say so.
const FAILS_TO_SYNC: u8 = 2;

#[derive(Debug)]
struct Disk {
    file: FileBackend,
    failing: Failing,
}

impl Disk {
    fn check(&self, failure: u8, kind: io::ErrorKind) -> io::Result<()> {
        let is_failing = self.failing.0.load(Ordering::Acquire) == failure;
        if is_failing { Err(kind.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check(IS_FULL, io::ErrorKind::StorageFull)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.check(FAILS_TO_SYNC, io::ErrorKind::Other)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(IS_FULL, io::ErrorKind::StorageFull)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn open(directory: &Path, failing: &Failing) -> Arc<Store> {
    let (path, failing) = (directory.join("objects.redb"), failing.clone());
    let opener = move || {
        let options = &mut std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let disk = Disk {
            file: FileBackend::new(file.map_err(redb::Error::Io)?)?,
            failing: failing.clone(),
        };
        Ok(Database::builder().create_with_backend(disk)?)
    };
    Store::open_with(Box::new(opener)).unwrap().0
}

fn key(name: &str) -> Key {
    Key { resource: "g/things".into(), namespace: "n".to_owned(), name: name.to_owned() }
}

async fn put(store: &Store, name: &str) -> Result<u64, StoreError> {
    let write = Write {
        key: key(name),
        expect: Expect::Absent,
        action: Action::Put,
        draft: Draft { json: b"{}".to_vec(), revision_at: 1 },
        uid: name.to_owned(),
        owners_added: Vec::new(),
        owners_removed: Vec::new(),
    };
    store.write(write).await.map(|stored| stored.revision)
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_again_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let failing = Failing::default();
    let store = open(directory.path(), &failing);
    let first = put(&store, "first").await.unwrap();
    failing.0.store(IS_FULL, Ordering::Release);
    for name in ["a", "b", "a"] {
        let error = put(&store, name).await.unwrap_err();
        assert!(matches!(error, StoreError::Disk(_)), "{error}");
    }
    failing.0.store(WORKS, Ordering::Release);
    let history = store.history(&"g/things".into());
    let second = put(&store, "second").await.unwrap();
    assert_eq!(second, first + 1, "what was refused is not there");
    assert!(store.get(&key("a")).unwrap().is_none());
    assert!(store.get(&key("first")).unwrap().is_some());
    let told = history.after(first, 10).unwrap();
    assert_eq!(told.iter().map(|event| event.change).collect::<Vec<_>>(), [Change::Added]);
    store.close();
    println!("\ncases: 8\n");
}

#[tokio::test]
async fn watches_list_again_after_a_write_that_nobody_knows_of_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    let failing = Failing::default();
    let store = open(directory.path(), &failing);
    let first = put(&store, "first").await.unwrap();
    let history = store.history(&"g/things".into());
    failing.0.store(FAILS_TO_SYNC, Ordering::Release);
    put(&store, "unknown").await.unwrap_err();
    failing.0.store(WORKS, Ordering::Release);
    let third = put(&store, "third").await.unwrap();
    assert!(store.get(&key("unknown")).unwrap().is_some(), "the disk has it");
    assert_eq!(third, first + 2);
    assert_eq!(history.after(first, 10).unwrap_err(), first + 1, "the watch begins anew");
    assert_eq!(history.after(first + 1, 10).unwrap().len(), 1);
    store.close();
    println!("\ncases: 4\n");
}
