//! Whoever makes keys, certificates and signed images: the real ones of `pki`, kept in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use wasmbed_image::{Capabilities, Limits, Manifest, RestartPolicy};
use wasmbed_pki::{Fleet, ImageSigner, KeyStore, StoreError};
use wasmbed_wire::{AppId, Provisioning, PublicKey, Seq};

/// Namespace of everything here.
pub(crate) const NAMESPACE: &str = "default";

/// When certificates are made: a day before the gateway's time.
const NOW_S: i64 = 1_795_219_200;

/// Keys in memory.
#[derive(Default)]
struct MemoryStore(Mutex<BTreeMap<String, String>>);

impl KeyStore for MemoryStore {
    fn read(&self, name: &str) -> Result<Option<zeroize::Zeroizing<String>>, StoreError> {
        Ok(self.0.lock().expect("one thread").get(name).cloned().map(zeroize::Zeroizing::new))
    }

    fn create(&self, name: &str, text: &str) -> Result<zeroize::Zeroizing<String>, StoreError> {
        let mut keys = self.0.lock().expect("one thread");
        let kept = keys.entry(name.into()).or_insert_with(|| text.into());
        Ok(zeroize::Zeroizing::new(kept.clone()))
    }

    fn replace(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.0.lock().expect("one thread").insert(name.into(), text.into());
        Ok(())
    }

    fn list(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.0.lock().expect("one thread").keys().cloned().collect())
    }
}

/// Makes certificates, provisioning records and signed applications.
pub struct Vendor {
    fleet: Fleet,
    signer: ImageSigner,
}

impl Default for Vendor {
    fn default() -> Self {
        Self::new()
    }
}

impl Vendor {
    /// A vendor with new keys.
    pub fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let fleet = Fleet::open(store, NOW_S).expect("a fleet");
        let signer = fleet.image_signer().expect("a signer");
        Self { fleet, signer }
    }

    /// Leaf certificate and key of the gateway.
    pub fn gateway_identity(&self) -> (Vec<u8>, Vec<u8>) {
        let identity = self.fleet.gateway("gateway", NAMESPACE, NOW_S).expect("a leaf");
        (identity.certificate().der.clone(), identity.key_der().to_vec())
    }

    /// The provisioning record of a device, with this token.
    pub fn provisioning(&self, token: Option<&str>) -> Vec<u8> {
        let keys = |pins: Vec<[u8; 32]>| pins.into_iter().map(PublicKey).collect::<Vec<_>>();
        let (ca_pins, signer_pins) = (keys(self.fleet.ca_pins()), keys(self.fleet.signer_pins()));
        let record = Provisioning {
            ca_pins: Seq::Items(&ca_pins),
            signer_pins: Seq::Items(&signer_pins),
            gateway_name: "gateway.default",
            gateway_address: 0x0a00_0201,
            gateway_port: 4433,
            namespace: NAMESPACE,
            token,
            station: None,
        };
        let mut buffer = [0; wasmbed_wire::limits::PROVISIONING_BYTES_MAX];
        record.encode(&mut buffer).expect("a record that fits").to_vec()
    }

    /// An application that runs `image`.
    pub fn application(&self, name: &str, generation: u64, image: &[u8]) -> Application {
        self.application_with(name, generation, image, |_| {})
    }

    /// The same, with a manifest that `change` changed before it was signed.
    pub fn application_with(
        &self,
        name: &str,
        generation: u64,
        image: &[u8],
        change: impl FnOnce(&mut Manifest<'_>),
    ) -> Application {
        let app = app_id(name);
        let mut manifest = Manifest {
            namespace: NAMESPACE,
            app_name: name,
            app_uid: app.0,
            generation,
            image_digest: Sha256::digest(image).into(),
            image_bytes: image.len() as u32,
            capabilities: Capabilities::all(),
            limits: Limits { memory_bytes: 65_536, stack_bytes: 4096, fuel: None },
            restart_policy: RestartPolicy::Always,
            priority: 0,
        };
        change(&mut manifest);
        let mut bytes = [0; wasmbed_image::limits::MANIFEST_BYTES_MAX];
        let count = manifest.encode(&mut bytes).expect("a manifest that fits");
        let manifest = bytes[..count].to_vec();
        let signature = self.signer.sign(&manifest).expect("a signature");
        Application { app, generation, manifest, signature, image: image.to_vec() }
    }
}

/// The image of a module in the text format.
///
/// # Panics
/// If it is not a module, or the compiler refuses it.
#[track_caller]
pub fn image_of(module: &str) -> Vec<u8> {
    let wasm = wat::parse_str(module).expect("a module");
    let options = wasmbed_compiler::Options::default();
    wasmbed_compiler::prepare(&wasm, &options).expect("an image").image
}

/// The identifier of the application called `name`.
pub(crate) fn app_id(name: &str) -> AppId {
    let digest: [u8; 32] = Sha256::digest(name).into();
    AppId(*digest.first_chunk().expect("32 bytes"))
}

/// An image with its signed manifest.
#[derive(Clone, Debug)]
pub struct Application {
    /// Which application.
    pub app: AppId,
    /// Generation of the manifest.
    pub generation: u64,
    /// Manifest as it was signed.
    pub manifest: Vec<u8>,
    /// Signature over it.
    pub signature: [u8; 64],
    /// The image body.
    pub image: Vec<u8>,
}
