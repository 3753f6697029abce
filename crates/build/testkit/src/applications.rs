//! Whoever makes keys, certificates and signed images: one fleet of a test, kept in memory. Leaves
//! out rotation and storage, which are those of `pki`.

use std::sync::atomic::{AtomicU8, Ordering};

use ed25519_dalek::{Signer, SigningKey};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    PKCS_ED25519,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use wasmbed_image::{Config, GrantList, Grants, Limits, Manifest, RestartPolicy};
use wasmbed_wire::{AppId, Provisioning, PublicKey, Seq};

/// Namespace of everything here.
pub(crate) const NAMESPACE: &str = "default";

/// Name that the gateway's certificate carries.
const GATEWAY_NAME: &str = "gateway.default";

/// When certificates begin to be valid: a day before the gateway's time.
const NOT_BEFORE_S: i64 = 1_795_219_200;

/// How long certificates are valid: a year.
const VALID_S: i64 = 365 * 86_400;

/// Tells the image signers of one process apart.
static VENDORS: AtomicU8 = AtomicU8::new(1);

/// Makes certificates, provisioning records and signed applications.
pub struct Vendor {
    authority: KeyPair,
    signer: SigningKey,
}

impl Default for Vendor {
    fn default() -> Self {
        Self::new()
    }
}

impl Vendor {
    /// A vendor with keys that no other has.
    pub fn new() -> Self {
        let authority = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let signer = SigningKey::from_bytes(&[VENDORS.fetch_add(1, Ordering::Relaxed); 32]);
        Self { authority, signer }
    }

    /// Leaf certificate and key (PKCS #8) of the gateway.
    pub fn gateway_identity(&self) -> (Vec<u8>, Vec<u8>) {
        self.gateway_identity_until(NOT_BEFORE_S + VALID_S)
    }

    /// The same, with the last second in which the certificate is valid.
    pub fn gateway_identity_until(&self, not_after_s: i64) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let time = |unix_s| OffsetDateTime::from_unix_timestamp(unix_s).expect("a time");
        let names = vec![GATEWAY_NAME.to_owned()];
        let mut leaf = CertificateParams::new(names).expect("a name");
        leaf.distinguished_name = DistinguishedName::new();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.not_before = time(NOT_BEFORE_S);
        leaf.not_after = time(not_after_s);
        let mut authority = CertificateParams::default();
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, "test fleet");
        let issuer = Issuer::new(authority, &self.authority);
        let certificate = leaf.signed_by(&key, &issuer).expect("a certificate");
        (certificate.der().to_vec(), key.serialize_der())
    }

    /// The provisioning record of a device, with this token.
    pub fn provisioning(&self, token: Option<&str>) -> Vec<u8> {
        let authority = self.authority.public_key_raw().try_into().expect("32 bytes");
        let ca_pins = [PublicKey(authority)];
        let signer_pins = [PublicKey(self.signer.verifying_key().to_bytes())];
        let record = Provisioning {
            ca_pins: Seq::Items(&ca_pins),
            signer_pins: Seq::Items(&signer_pins),
            gateway_name: GATEWAY_NAME,
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
            grants: Grants::all(),
            config: Config::default(),
            limits: Limits { memory_bytes: 65_536, stack_bytes: 4096, fuel: None },
            restart_policy: RestartPolicy::Always,
            priority: 0,
        };
        change(&mut manifest);
        let mut bytes = [0; wasmbed_image::limits::MANIFEST_BYTES_MAX];
        let count = manifest.encode(&mut bytes).expect("a manifest that fits");
        let manifest = bytes[..count].to_vec();
        let mut buffer = [0; wasmbed_image::limits::SIGNED_MESSAGE_BYTES_MAX];
        let message = wasmbed_image::signed_message(&manifest, &mut buffer).expect("a message");
        let signature = self.signer.sign(message).to_bytes();
        Application { app, generation, manifest, signature, image: image.to_vec() }
    }
}

/// The grants that these texts mean.
///
/// # Panics
/// If one of them is no grant.
#[track_caller]
pub fn grants_of(texts: &[&str]) -> Grants<'static> {
    let list = GrantList::parse(texts.iter().copied()).expect("grants");
    Box::leak(Box::new(list)).grants()
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
