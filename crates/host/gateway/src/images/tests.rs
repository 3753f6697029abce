//! What the cache of images holds, and what it refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmbed_model::ids::sha256;
use wasmbed_model::image_store::{ImageStore, ImageStoreError};
use wasmbed_wire::Digest;

use super::{ImageError, Images};
use crate::limits;
use crate::registry::lock;

/// Makes the image of a digest up from a list, and counts how often it was asked.
struct Shelf {
    images: Vec<Vec<u8>>,
    corrupt: Option<Digest>,
    map: Option<Vec<u8>>,
    reads: AtomicUsize,
}

impl Shelf {
    fn new(images: Vec<Vec<u8>>) -> Self {
        Self { images, corrupt: None, map: None, reads: AtomicUsize::new(0) }
    }
}

impl ImageStore for Shelf {
    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.corrupt.as_ref() == Some(digest) {
            return Ok(Some(b"other bytes".to_vec()));
        }
        Ok(self.images.iter().find(|image| sha256(image) == *digest).cloned())
    }

    fn contains(&self, digest: &Digest) -> Result<bool, ImageStoreError> {
        Ok(self.images.iter().any(|image| sha256(image) == *digest))
    }

    fn write(&self, image: &[u8]) -> Result<Digest, ImageStoreError> {
        Ok(sha256(image))
    }

    fn read_source_map(&self, _: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.map.clone())
    }

    fn remove(&self, _: &Digest) -> Result<(), ImageStoreError> {
        Ok(())
    }

    fn list(&self) -> Result<Vec<Digest>, ImageStoreError> {
        Ok(self.images.iter().map(|image| sha256(image)).collect())
    }
}

#[tokio::test]
async fn an_image_is_read_once_and_the_cache_is_bounded() {
    let image_bytes = 64 * 1024;
    let count = 2 * limits::IMAGE_CACHE_BYTES_MAX / image_bytes;
    let images: Vec<Vec<u8>> =
        (0..count).map(|id| vec![u8::try_from(id).expect("few"); image_bytes]).collect();
    let digests: Vec<Digest> = images.iter().map(|image| sha256(image)).collect();
    let shelf = Arc::new(Shelf::new(images.clone()));
    let cache = Images::new(Arc::clone(&shelf) as Arc<dyn ImageStore>);
    for (digest, image) in digests.iter().zip(&images) {
        for _ in 0..3 {
            assert_eq!(&*cache.read(*digest).await.expect("there"), image.as_slice());
        }
    }
    assert_eq!(shelf.reads.load(Ordering::Relaxed), count);
    let held: usize = lock(&cache.cache).iter().map(|(_, image)| image.len()).sum();
    assert!(held <= limits::IMAGE_CACHE_BYTES_MAX, "{held} bytes are held");
}

#[tokio::test]
async fn what_is_not_there_or_not_what_its_name_says_is_not_sent() {
    let mut shelf = Shelf::new(Vec::new());
    let (missing, corrupt) = (sha256(b"missing"), sha256(b"corrupt"));
    shelf.corrupt = Some(corrupt);
    let cache = Images::new(Arc::new(shelf));
    assert!(matches!(cache.read(missing).await, Err(ImageError::Missing(_))));
    assert!(matches!(cache.read(corrupt).await, Err(ImageError::Corrupt(_))));
}

#[tokio::test]
async fn a_source_map_is_read_once_and_a_missing_or_damaged_one_says_nothing() {
    let map = wasmbed_model::source_map::SourceMap::new(vec![(0, 7), (4, 9)]).encode();
    let cases = [(Some(map), Some(9)), (None, None), (Some(b"damaged".to_vec()), None)];
    for (map, offset) in cases.clone() {
        let shelf = Arc::new(Shelf { map, ..Shelf::new(Vec::new()) });
        let images = Images::new(Arc::clone(&shelf) as Arc<dyn ImageStore>);
        for _ in 0..3 {
            assert_eq!(images.module_offset(sha256(b"image"), 5).await, offset);
        }
        assert_eq!(shelf.reads.load(Ordering::Relaxed), 1);
        for index in 0..2 * limits::SOURCE_MAPS_MAX {
            images.module_offset(sha256(&[index as u8]), 5).await;
        }
        assert_eq!(lock(&images.maps).len(), limits::SOURCE_MAPS_MAX);
    }
    println!("\ncases: {}\n", cases.len());
}
