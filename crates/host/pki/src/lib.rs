//! Keys and certificates of one fleet: made at first start, issued, rotated, listed.
//!
//! Private keys live in a [`store::KeyStore`] and in memory, never in an argument, an environment
//! variable or a log. Left out: TLS itself, and whoever serves with these certificates.

mod authority;
pub mod fleet;
pub mod identity;
pub mod limits;
pub mod secret_store;
pub mod signer;
pub mod store;

pub use fleet::{Entry, Fleet, FrontProxy, LiveServer, Rotation};
pub use identity::Identity;
pub use secret_store::SecretStore;
pub use signer::ImageSigner;
pub use store::{DirectoryStore, KeyStore, StoreError};

/// Why a key or certificate could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The store failed.
    #[error("key store")]
    Store(#[from] StoreError),
    /// A stored key or certificate cannot be read. It is left as it is.
    #[error("{name} in the key store is damaged: {what}")]
    Damaged {
        /// Name in the store.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A key or certificate could not be made.
    #[error("issue {name}")]
    Issue {
        /// Name in the store.
        name: String,
        /// What the certificate library said.
        source: rcgen::Error,
    },
    /// The name makes a certificate longer than a device takes.
    #[error(
        "the certificate for {name} has {leaf_bytes} bytes, devices take {leaf_bytes_max}: choose a shorter name"
    )]
    NameTooLong {
        /// Name of the server.
        name: String,
        /// Bytes of its certificate.
        leaf_bytes: usize,
        /// Bytes that devices take.
        leaf_bytes_max: usize,
    },
    /// The name cannot be a DNS name.
    #[error("{name:?} is not a name of lower-case letters, digits and inner hyphens")]
    NameInvalid {
        /// The name.
        name: String,
    },
    /// The manifest is longer than may be signed.
    #[error("a manifest of {manifest_bytes} bytes cannot be signed")]
    ManifestTooLong {
        /// Its bytes.
        manifest_bytes: usize,
    },
    /// This version cannot rotate it.
    #[error("rotating {name} is not implemented: {why}")]
    RotationNotImplemented {
        /// Name in the store.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
}
