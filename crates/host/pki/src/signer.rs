//! The key that signs image manifests. Devices pin it; gateways never have it.

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey};
use wasmbed_image::limits::SIGNED_MESSAGE_BYTES_MAX;
use zeroize::Zeroizing;

use crate::{KeyStore, PkiError};

#[cfg(test)]
mod tests;

/// Name in the key store.
pub const STORE_NAME: &str = "image-signer";

/// Signs image manifests.
pub struct ImageSigner {
    key: SigningKey,
}

impl ImageSigner {
    /// The signer of the store, made where there is none.
    ///
    /// # Errors
    /// [`PkiError`]; an existing key is never replaced.
    pub fn open(store: &dyn KeyStore) -> Result<Self, PkiError> {
        let text = match store.read(STORE_NAME)? {
            Some(text) => text,
            None => store.create(STORE_NAME, &make()?)?,
        };
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| PkiError::Damaged {
            name: STORE_NAME.to_owned(),
            what: "no Ed25519 private key",
        })?;
        Ok(Self { key })
    }

    /// Key that devices pin.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Ed25519 signature over the prefix of `image` and the manifest.
    ///
    /// # Errors
    /// [`PkiError::ManifestTooLong`].
    pub fn sign(&self, manifest: &[u8]) -> Result<[u8; 64], PkiError> {
        let mut buffer = [0; SIGNED_MESSAGE_BYTES_MAX];
        let message = wasmbed_image::signed_message(manifest, &mut buffer)
            .map_err(|_| PkiError::ManifestTooLong { manifest_bytes: manifest.len() })?;
        Ok(self.key.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for ImageSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSigner")
            .field("public_key", &self.public_key())
            .finish_non_exhaustive()
    }
}

/// A new key as text for the store. The randomness is the certificate library's.
fn make() -> Result<Zeroizing<String>, PkiError> {
    let issue = |source| PkiError::Issue { name: STORE_NAME.to_owned(), source };
    let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(issue)?;
    let der = Zeroizing::new(made.serialize_der());
    let damaged = |_| PkiError::Damaged { name: STORE_NAME.to_owned(), what: "not made right" };
    let key = SigningKey::from_pkcs8_der(&der).map_err(damaged)?;
    key.to_pkcs8_pem(Default::default()).map_err(damaged)
}
