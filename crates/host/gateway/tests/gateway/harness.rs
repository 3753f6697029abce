//! A gateway under test: an API server in this process, a store in memory, authorities of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::StreamExt as _;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ED25519,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wasmbed_apiserver::ApiServer;
use wasmbed_crds::{Application, ApplicationRevision, Device, Enrollment, Gateway};
use wasmbed_gateway::{Config, Limits, LiveConfig, Running, ServerIdentity};
use wasmbed_model::ids::{parse_uid, sha256};
use wasmbed_model::image_store::{ImageStore, ImageStoreError};
use wasmbed_wire::{AppId, Digest};

use crate::peer::{DeviceKey, PATIENCE, Peer, SERVER_NAME};

pub const NAMESPACE: &str = "default";
pub const GATEWAY: &str = "edge";
pub const PROCESS: &str = "edge-0";

/// Images in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<HashMap<Digest, Vec<u8>>>);

impl ImageStore for MemoryStore {
    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ImageStoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned())
    }

    fn contains(&self, digest: &Digest) -> Result<bool, ImageStoreError> {
        Ok(self.read(digest)?.is_some())
    }

    fn write(&self, image: &[u8]) -> Result<Digest, ImageStoreError> {
        let digest = sha256(image);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, image.to_vec());
        Ok(digest)
    }

    fn remove(&self, digest: &Digest) -> Result<(), ImageStoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
        Ok(())
    }

    fn list(&self) -> Result<Vec<Digest>, ImageStoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect())
    }
}

/// A certificate authority of the tests' own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: CertificateDer<'static>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("entropy");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a CA").der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> ServerIdentity {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("entropy");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a DNS name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).expect("a leaf");
        ServerIdentity {
            certificates: vec![certificate.der().clone()],
            key: PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }

    pub fn leaf(&self) -> ServerIdentity {
        self.issue(SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth)
    }
}

/// The API server and what is in it.
pub struct Platform {
    pub client: Client,
    pub api: Option<wasmbed_apiserver::Running>,
    data_dir: PathBuf,
}

impl Drop for Platform {
    fn drop(&mut self) {
        drop(self.api.take());
        // What cannot be removed is left to the system's own clean-up.
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

/// Everything a test needs.
pub struct Harness {
    pub platform: Platform,
    pub gateway: Running,
    pub fleet: Authority,
    pub front_proxy: Authority,
    pub live_authority: Authority,
    pub store: Arc<MemoryStore>,
    pub leaf: watch::Sender<Arc<ServerIdentity>>,
    pub shutdown: CancellationToken,
    _live_leaf: watch::Sender<Arc<ServerIdentity>>,
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl std::ops::Deref for Harness {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.platform
    }
}

fn local() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A configuration without live API and health port.
pub fn bare_config(identity: watch::Receiver<Arc<ServerIdentity>>) -> Config {
    Config {
        namespace: NAMESPACE.to_owned(),
        gateway: GATEWAY.to_owned(),
        process: PROCESS.to_owned(),
        device_address: local(),
        device_identity: identity,
        live: None,
        health_address: None,
        limits: Limits::default(),
    }
}

impl Platform {
    pub async fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let data_dir =
            std::env::temp_dir().join(format!("wasmbed-gateway-{}-{number}", std::process::id()));
        let mut config = wasmbed_apiserver::Config::new(&data_dir);
        config.crds = wasmbed_crds::all();
        config.tokens = vec![wasmbed_apiserver::Token {
            token: "of these tests".to_owned(),
            user: "gateway".to_owned(),
            groups: vec!["system:masters".to_owned()],
        }];
        let api = ApiServer::start(config).await.expect("an API server");
        let client = api.client();
        let platform = Self { client, api: Some(api), data_dir };
        platform.apply_gateway(json!({})).await;
        platform
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Waits until the gateway's caches are synced and its presence is known.
    pub async fn ready(&self) {
        self.until::<Gateway>(GATEWAY, |gateway| {
            gateway.status.as_ref().is_some_and(|status| !status.replicas.is_empty())
        })
        .await;
    }

    /// Waits until an object satisfies `wanted`.
    pub async fn until<K>(&self, name: &str, wanted: impl Fn(&K) -> bool + Send + Sync) -> K
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let condition = |object: Option<&K>| object.is_some_and(&wanted);
        let waiting = timeout(PATIENCE, await_condition(self.api::<K>(), name, condition));
        match waiting.await {
            Ok(object) => object.expect("a watch").expect("there by the condition"),
            Err(_) => panic!("never became so: {:?}", self.api::<K>().get(name).await),
        }
    }

    /// Waits until the Device says this of `Connected`, as `Status Reason`.
    pub async fn until_connected(&self, name: &str, wanted: &str) -> Device {
        self.until(name, |device| connected(device) == wanted).await
    }

    pub async fn apply_gateway(&self, extra: serde_json::Value) {
        let mut spec = json!({ "endpoint": { "host": "127.0.0.1", "port": 1 } });
        let (Some(spec_map), Some(extra)) = (spec.as_object_mut(), extra.as_object()) else {
            panic!("not an object");
        };
        spec_map.extend(extra.clone());
        let patch = json!({
            "apiVersion": "wasmbed.github.io/v1alpha1",
            "kind": "Gateway",
            "metadata": { "name": GATEWAY },
            "spec": spec,
        });
        let params = PatchParams::apply("test").force();
        let gateways: Api<Gateway> = self.api();
        gateways.patch(GATEWAY, &params, &Patch::Apply(patch)).await.expect("a gateway object");
    }

    /// Makes the Device of a key, as somebody does who knows the key beforehand.
    pub async fn device(&self, key: &DeviceKey) {
        let spec = wasmbed_crds::DeviceSpec {
            public_key: BASE64.encode(key.public().0),
            board: "host".to_owned(),
            enabled: true,
        };
        let device = Device::new(&key.device_name(), spec);
        let devices: Api<Device> = self.api();
        devices.create(&PostParams::default(), &device).await.expect("a Device");
    }

    /// Makes an Enrollment for `token`; `spec` is merged into it.
    pub async fn enrollment(&self, name: &str, token: &str, spec: serde_json::Value) {
        let mut object = json!({
            "apiVersion": "wasmbed.github.io/v1alpha1",
            "kind": "Enrollment",
            "metadata": { "name": name },
            "spec": { "tokenSha256": sha256(token.as_bytes()).to_string() },
        });
        object["spec"]
            .as_object_mut()
            .expect("a map")
            .extend(spec.as_object().cloned().expect("a map"));
        let enrollment: Enrollment = serde_json::from_value(object).expect("an Enrollment");
        let enrollments: Api<Enrollment> = self.api();
        enrollments.create(&PostParams::default(), &enrollment).await.expect("an Enrollment");
    }
}

impl Harness {
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        let fleet = Authority::new("fleet");
        let leaf = fleet.leaf();
        Self::start_showing(leaf, fleet, limits).await
    }

    /// A gateway that shows `leaf` to devices.
    pub async fn start_showing(leaf: ServerIdentity, fleet: Authority, limits: Limits) -> Self {
        let platform = Platform::start().await;
        let front_proxy = Authority::new("front proxy");
        let live_authority = Authority::new("live");
        let (leaf, leaf_seen) = watch::channel(Arc::new(leaf));
        let server = live_authority.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let (live_leaf, live_leaf_seen) = watch::channel(Arc::new(server));
        let config = Config {
            live: Some(LiveConfig {
                address: local(),
                identity: live_leaf_seen,
                front_proxy_authorities: vec![front_proxy.certificate.clone()],
                front_proxy_names: vec!["front-proxy-client".to_owned()],
                advertised_address: None,
            }),
            health_address: Some(local()),
            limits,
            ..bare_config(leaf_seen)
        };
        let store = Arc::new(MemoryStore::default());
        let shutdown = CancellationToken::new();
        let images: Arc<dyn ImageStore> = Arc::clone(&store) as _;
        let client = platform.client.clone();
        let gateway = wasmbed_gateway::start(config, client, images, shutdown.clone());
        let gateway = gateway.await.expect("a gateway");
        platform.ready().await;
        Self {
            platform,
            gateway,
            fleet,
            front_proxy,
            live_authority,
            store,
            leaf,
            shutdown,
            _live_leaf: live_leaf,
        }
    }

    pub async fn connect(&self, key: &DeviceKey) -> Peer {
        let connecting = Peer::connect(self.gateway.device_address, key, &self.fleet.certificate);
        connecting.await.expect("a connection")
    }

    /// Connects and says Hello.
    pub async fn greet(&self, key: &DeviceKey) -> Peer {
        let mut peer = self.connect(key).await;
        peer.hello().await;
        peer
    }

    /// A device that was enrolled with a token of its own, in its first session.
    pub async fn enrolled(&self, key: &DeviceKey) -> Peer {
        self.enrolled_with_desired(key, "DesiredState 1").await
    }

    /// The same, where applications wait for the device already.
    pub async fn enrolled_with_desired(&self, key: &DeviceKey, desired: &str) -> Peer {
        let token = format!("token of {}", key.device_name());
        self.enrollment(&key.device_name(), &token, json!({ "labels": { "site": "lab" } })).await;
        let mut peer = self.greet(key).await;
        peer.expect("EnrollRequired").await;
        peer.enroll(Some(&token)).await;
        peer.expect("Welcome 1").await;
        peer.expect(desired).await;
        peer
    }

    /// How often a Device was written after the version `from`, up to and with `to`.
    pub async fn writes_between(&self, from: u64, to: u64, name: &str) -> usize {
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let devices: Api<Device> = self.api();
        let events = devices.watch(&params, &from.to_string()).await.expect("a watch");
        let mut events = std::pin::pin!(events);
        let mut count = 0;
        while let Some(event) = timeout(PATIENCE, events.next()).await.expect("an event in time") {
            let WatchEvent::Modified(device) = event.expect("an event") else { continue };
            count += 1;
            let version = device.resource_version().expect("set");
            if version.parse::<u64>().expect("a number") >= to {
                break;
            }
        }
        count
    }

    /// An application that devices with the label `site=lab` shall run, with its revision.
    pub async fn application(&self, name: &str, image: &[u8], arena_bytes: i64) -> AppId {
        let sign = |_| (vec![1; 200], [2; 64]);
        self.signed_application(name, image, arena_bytes, sign).await
    }

    /// The same, with the manifest and signature that `sign` makes for its id.
    pub async fn signed_application(
        &self,
        name: &str,
        image: &[u8],
        arena_bytes: i64,
        sign: impl FnOnce(AppId) -> (Vec<u8>, [u8; 64]),
    ) -> AppId {
        let application: Application = serde_json::from_value(json!({
            "apiVersion": "wasmbed.github.io/v1alpha1",
            "kind": "Application",
            "metadata": { "name": name },
            "spec": {
                "image": { "configMap": { "name": "none", "key": "none" } },
                "selector": { "matchLabels": { "site": "lab" } },
            },
        }))
        .expect("an Application");
        let applications: Api<Application> = self.api();
        let application =
            applications.create(&PostParams::default(), &application).await.expect("created");
        let uid = application.uid().expect("made by the server");
        let app = parse_uid(&uid).expect("a UUID");
        let digest = self.store.write(image).expect("memory");
        let (manifest, signature) = sign(app);
        let revision: ApplicationRevision = serde_json::from_value(json!({
            "apiVersion": "wasmbed.github.io/v1alpha1",
            "kind": "ApplicationRevision",
            "metadata": { "name": format!("{name}-1") },
            "spec": {
                "applicationRef": { "name": name, "uid": uid },
                "generation": 1,
                "template": { "image": application.spec.image },
                "moduleDigest": "0".repeat(64),
                "imageDigest": digest.to_string(),
                "imageBytes": image.len(),
                "imageFormat": 1,
                "needs": {
                    "arenaBytes": arena_bytes, "codeBytes": 0,
                    "memoryBytes": 0, "stackBytes": 0,
                },
                "manifest": BASE64.encode(manifest),
                "signature": BASE64.encode(signature),
            },
        }))
        .expect("a revision");
        let revisions: Api<ApplicationRevision> = self.api();
        revisions.create(&PostParams::default(), &revision).await.expect("a revision");
        let status = json!({ "status": { "targetRevision": format!("{name}-1") } });
        let patch = Patch::Merge(status);
        applications.patch_status(name, &PatchParams::default(), &patch).await.expect("patched");
        app
    }
}

/// `Status Reason` of the condition `Connected`.
pub fn connected(device: &Device) -> String {
    let conditions = device.status.as_ref().map_or(&[][..], |status| &status.conditions);
    wasmbed_crds::condition::find(conditions, "Connected")
        .map_or_else(String::new, |found| format!("{} {}", found.status, found.reason))
}
