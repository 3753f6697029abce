//! Image bytes for the devices, and where their code came from: read from the store by digest, and the
//! latest kept in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use wasmbed_model::ids::sha256;
use wasmbed_model::image_store::{ImageStore, ImageStoreError};
use wasmbed_model::source_map::SourceMap;
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
    /// Source maps that were used lately, most recent last; `None` where there is none to use.
    maps: Mutex<VecDeque<(Digest, Option<Arc<SourceMap>>)>>,
}

impl Images {
    pub(crate) fn new(store: Arc<dyn ImageStore>) -> Self {
        Self { store, cache: Mutex::default(), maps: Mutex::default() }
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

    /// Where in the WebAssembly module the code of `image` at `code_offset` came from, if the store
    /// keeps a source map that says so.
    pub(crate) async fn module_offset(&self, image: Digest, code_offset: u32) -> Option<u32> {
        let known = {
            let maps = lock(&self.maps);
            maps.iter().find(|(held, _)| *held == image).map(|(_, map)| map.clone())
        };
        let map = match known {
            Some(map) => map,
            None => {
                let map = self.read_map(image).await;
                let mut maps = lock(&self.maps);
                maps.push_back((image, map.clone()));
                if maps.len() > limits::SOURCE_MAPS_MAX {
                    maps.pop_front();
                }
                map
            }
        };
        map?.module_offset(code_offset)
    }

    async fn read_map(&self, image: Digest) -> Option<Arc<SourceMap>> {
        let store = Arc::clone(&self.store);
        let read = tokio::task::spawn_blocking(move || store.read_source_map(&image)).await.ok()?;
        match read.map(|bytes| bytes.map(|bytes| SourceMap::decode(&bytes))) {
            Ok(None) => None,
            Ok(Some(Ok(map))) => Some(Arc::new(map)),
            Ok(Some(Err(error))) => {
                tracing::warn!(%image, %error, "read a source map");
                None
            }
            Err(error) => {
                tracing::warn!(%image, %error, "read a source map");
                None
            }
        }
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
