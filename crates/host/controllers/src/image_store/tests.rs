//! Images on disk: what is read back is what was written, or nothing.

use super::*;

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn keeps_images_by_their_digest() {
    let scratch = std::env::temp_dir().join(format!("wasmbed-images-{}", std::process::id()));
    let scratch = Scratch(scratch);
    let store = ImageDirectory::open(&scratch.0).unwrap();
    let images: [&[u8]; 3] = [b"", b"one", &[7; 70_000]];
    for image in images {
        let digest = ids::sha256(image);
        assert!(!store.contains(&digest).unwrap());
        assert_eq!(store.read(&digest).unwrap(), None);
        assert_eq!(store.write(image).unwrap(), digest);
        assert_eq!(store.write(image).unwrap(), digest);
        assert!(store.contains(&digest).unwrap());
        assert_eq!(store.read(&digest).unwrap().unwrap(), image);
    }
    let mut expected: Vec<_> = images.map(ids::sha256).to_vec();
    let mut listed = ImageDirectory::open(&scratch.0).unwrap().list().unwrap();
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    // A source map lies beside its image, is no image, and goes with it.
    let one = ids::sha256(b"one");
    assert_eq!(store.read_source_map(&one).unwrap(), None);
    store.write_source_map(&one, b"map").unwrap();
    assert_eq!(store.read_source_map(&one).unwrap().unwrap(), b"map");
    assert_eq!(store.list().unwrap().len(), images.len());
    // A flipped bit is noticed, and the image is gone rather than wrong.
    let digest = ids::sha256(b"one");
    fs::write(store.file(&digest), b"onf").unwrap();
    assert_eq!(store.read(&digest).unwrap(), None);
    assert!(!store.contains(&digest).unwrap());
    assert_eq!(store.read_source_map(&one).unwrap(), None);
    store.remove(&digest).unwrap();
    store.remove(&ids::sha256(b"")).unwrap();
    assert_eq!(store.list().unwrap().len(), 1);
    println!("\ncases: {}", 6 * images.len() + 8);
}
