//! Signatures over manifests, checked by another implementation.

use super::*;
use crate::DirectoryStore;
use crate::store::tests::Scratch;

#[test]
fn signs_so_that_the_devices_code_agrees() {
    let scratch = Scratch::new("signer");
    let store = DirectoryStore::open(&scratch.0).unwrap();
    let signer = ImageSigner::open(&store).unwrap();
    let key = signer.public_key();
    let mut cases = 0;
    for length in [0, 1, 100, wasmbed_image::limits::MANIFEST_BYTES_MAX] {
        let manifest = vec![7; length];
        let signature = signer.sign(&manifest).unwrap();
        let message: &[&[u8]] = &[wasmbed_image::SIGNED_PREFIX, &manifest];
        assert!(wasmbed_curve::ed25519::verify(&key, message, &signature).is_ok(), "{length}");
        // Without the prefix it is no signature: the key signs nothing but manifests.
        assert!(wasmbed_curve::ed25519::verify(&key, &[&manifest], &signature).is_err());
        let reopened = ImageSigner::open(&store).unwrap();
        assert_eq!(reopened.sign(&manifest).unwrap(), signature);
        cases += 3;
    }
    let too_long = vec![0; wasmbed_image::limits::MANIFEST_BYTES_MAX + 1];
    assert!(matches!(signer.sign(&too_long), Err(PkiError::ManifestTooLong { .. })));
    println!("\ncases: {}", cases + 1);
}

#[test]
fn a_damaged_key_is_named_and_left_alone() {
    let scratch = Scratch::new("signer-damaged");
    let store = DirectoryStore::open(&scratch.0).unwrap();
    for text in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        store.replace(STORE_NAME, text).unwrap();
        assert!(matches!(ImageSigner::open(&store), Err(PkiError::Damaged { .. })), "{text}");
        assert_eq!(store.read(STORE_NAME).unwrap().unwrap().as_str(), text);
    }
    println!("\ncases: 3");
}
