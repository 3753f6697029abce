//! Which images go.

use super::*;
use crate::image_store::ImageDirectory;

#[test]
fn an_image_goes_when_it_was_surplus_twice() {
    let path = std::env::temp_dir().join(format!("wasmbed-sweep-{}", std::process::id()));
    let store = ImageDirectory::open(&path).unwrap();
    let [kept, gone, late] = [b"kept", b"gone", b"late"].map(|image| store.write(image).unwrap());
    let named = HashSet::from([kept]);
    let first = sweep(&store, &named, &HashSet::new()).unwrap();
    assert_eq!(first, HashSet::from([gone, late]));
    assert_eq!(store.list().unwrap().len(), 3);
    // A revision appears for one of the two before the second look.
    let second = sweep(&store, &HashSet::from([kept, late]), &first).unwrap();
    assert_eq!(second, HashSet::new());
    assert!(!store.contains(&gone).unwrap());
    assert!(store.contains(&kept).unwrap() && store.contains(&late).unwrap());
    std::fs::remove_dir_all(&path).unwrap();
    println!("\ncases: 5");
}
