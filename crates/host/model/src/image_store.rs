//! Where device images are kept, found by their digest.
//!
//! Controllers write, gateways read. Implementations are elsewhere and joined in the binary.

use crate::ids::Digest;

/// A content-addressed store of device images.
///
/// Calls may block on a disk; asynchronous callers give them a thread.
pub trait ImageStore: Send + Sync {
    /// The image with this digest, or nothing if the store does not hold it.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`] if the store cannot tell. What it returns has that digest.
    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError>;

    /// Whether the store holds an image with this digest.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`] if the store cannot tell.
    fn contains(&self, digest: &Digest) -> Result<bool, ImageStoreError>;

    /// Keeps an image. When this returns, it survives a power cut.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`]; the store is then unchanged.
    fn write(&self, image: &[u8]) -> Result<Digest, ImageStoreError>;

    /// The source map that was kept with the image, or nothing: a store need not keep any.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`] if the store cannot tell.
    fn read_source_map(&self, _image: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError> {
        Ok(None)
    }

    /// Keeps the encoded [`SourceMap`](crate::source_map::SourceMap) of an image with it.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`]; the store is then unchanged.
    fn write_source_map(&self, _image: &Digest, _map: &[u8]) -> Result<(), ImageStoreError> {
        Ok(())
    }

    /// Forgets an image and its source map. One that is not there is fine.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`].
    fn remove(&self, digest: &Digest) -> Result<(), ImageStoreError>;

    /// Digests of all images, in no order.
    ///
    /// # Errors
    /// [`ImageStoreError::Io`].
    fn list(&self) -> Result<Vec<Digest>, ImageStoreError>;
}

/// Why an image store did not answer. The environment is at fault.
#[derive(Debug, thiserror::Error)]
pub enum ImageStoreError {
    /// The medium failed.
    #[error("{operation} in the image store")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
