//! Key files: their modes, and what two processes at once get.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory of its own for each test, gone afterwards.
pub(crate) struct Scratch(pub PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wasmbed-pki-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn keys_are_for_their_owner_alone() {
    let scratch = Scratch::new("modes");
    let store = DirectoryStore::open(&scratch.0).unwrap();
    store.create("a", "one").unwrap();
    store.replace("b", "two").unwrap();
    assert_eq!(mode(&scratch.0), 0o700);
    assert_eq!(mode(&store.file("a")), 0o600);
    assert_eq!(mode(&store.file("b")), 0o600);
    assert_eq!(store.list().unwrap(), ["a", "b"]);
    let left: Vec<_> = fs::read_dir(&scratch.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    for exposed in [0o640, 0o604, 0o660, 0o666, 0o601] {
        fs::set_permissions(store.file("a"), fs::Permissions::from_mode(exposed)).unwrap();
        match store.read("a") {
            Err(StoreError::Exposed { mode, .. }) => assert_eq!(mode, exposed),
            other => panic!("{exposed:o}: {other:?}"),
        }
    }
    println!("\ncases: 10");
}

#[test]
fn the_first_to_create_wins_and_everyone_gets_the_same() {
    let scratch = Scratch::new("race");
    let stores: Vec<_> = (0..8).map(|_| DirectoryStore::open(&scratch.0).unwrap()).collect();
    let texts: Vec<String> = std::thread::scope(|scope| {
        let handles: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(i, store)| scope.spawn(move || store.create("a", &i.to_string()).unwrap()))
            .collect();
        handles.into_iter().map(|handle| handle.join().unwrap().to_string()).collect()
    });
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_eq!(stores[0].read("b").unwrap(), None);
    stores[0].replace("a", "new").unwrap();
    assert_eq!(stores[1].read("a").unwrap().unwrap().as_str(), "new");
    println!("\ncases: 10");
}
