//! Image bytes for the devices: read from the store by digest, and the latest kept in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use wasmbed_model::ids::sha256;
use wasmbed_model::image_store::{ImageStore, ImageStoreError};
use wasmbed_wire::Digest;

use crate::limits;
use crate::registry::lock;

#[cfg(test)]
mod tests;

/// Why an image cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// The store has no such image (yet).
    #[error("no image {0} in the store")]
    Missing(Digest),
    /// What the store holds is not what its name says.
    #[error("the bytes of image {0} have another digest")]
    Corrupt(Digest),
    #[error("read image {digest}")]
    Store { digest: Digest, source: ImageStoreError },
    #[error("the reader of image {0} ended early")]
    Interrupted(Digest),
}

/// The images that were sent lately, most recent last.
pub(crate) struct Images {
    store: Arc<dyn ImageStore>,
    cache: Mutex<VecDeque<(Digest, Arc<[u8]>)>>,
}

impl Images {
    pub(crate) fn new(store: Arc<dyn ImageStore>) -> Self {
        Self { store, cache: Mutex::default() }
    }

    /// The bytes of one image.
    pub(crate) async fn read(&self, digest: Digest) -> Result<Arc<[u8]>, ImageError> {
        if let Some(image) = self.cached(&digest) {
            return Ok(image);
        }
        let store = Arc::clone(&self.store);
        let read = tokio::task::spawn_blocking(move || store.read(&digest)).await;
        let read = read.map_err(|_| ImageError::Interrupted(digest))?;
        let bytes = read
            .map_err(|source| ImageError::Store { digest, source })?
            .ok_or(ImageError::Missing(digest))?;
        if sha256(&bytes) != digest {
            return Err(ImageError::Corrupt(digest));
        }
        let image: Arc<[u8]> = bytes.into();
        self.keep(digest, &image);
        Ok(image)
    }

    fn cached(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        let mut cache = lock(&self.cache);
        let index = cache.iter().position(|(held, _)| held == digest)?;
        let entry = cache.remove(index)?;
        let image = Arc::clone(&entry.1);
        cache.push_back(entry);
        Some(image)
    }

    fn keep(&self, digest: Digest, image: &Arc<[u8]>) {
        let mut cache = lock(&self.cache);
        if cache.iter().any(|(held, _)| *held == digest) {
            return;
        }
        cache.push_back((digest, Arc::clone(image)));
        let mut bytes: usize = cache.iter().map(|(_, image)| image.len()).sum();
        while bytes > limits::IMAGE_CACHE_BYTES_MAX
            && let Some((_, oldest)) = cache.pop_front()
        {
            bytes -= oldest.len();
        }
    }
}
