//! The controllers against the embedded API server in this process, or, where the environment names
//! a kubeconfig, against that cluster: each test in a namespace of its own.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{NamespaceResourceScope, Resource};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmbed_apiserver::{ApiServer, Running};
use wasmbed_controllers::image_store::ImageDirectory;
use wasmbed_controllers::{Config, run};
use wasmbed_crds::{Application, condition};
use wasmbed_pki::{DirectoryStore, ImageSigner};

/// Names a kubeconfig to run against a cluster instead of the embedded server.
const KUBECONFIG: &str = "WASMBED_TEST_KUBECONFIG";
/// How long anything may take before a test fails. Far above what it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster with running controllers.
pub struct Cluster {
    pub client: Client,
    pub images: Arc<ImageDirectory>,
    pub signer: Arc<ImageSigner>,
    pub namespace: String,
    _folder: tempfile::TempDir,
    server: Option<Running>,
    controllers: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Cluster {
    /// Starts the API server and the controllers.
    pub async fn start() -> Self {
        let mut cluster = Self::without_controllers().await;
        cluster.start_controllers();
        cluster
    }

    /// Starts the API server alone.
    pub async fn without_controllers() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (client, server) = match std::env::var_os(KUBECONFIG) {
            Some(path) => (connect(path.as_ref()).await, None),
            None => {
                let mut config = wasmbed_apiserver::Config::new(folder.path().join("api"));
                config.crds = wasmbed_crds::all();
                let server = ApiServer::start(config).await.unwrap();
                (server.client(), Some(server))
            }
        };
        let namespace: Namespace =
            serde_json::from_value(json!({ "metadata": { "generateName": "test-" } })).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let keys = DirectoryStore::open(folder.path().join("keys")).unwrap();
        Self {
            client,
            namespace: namespace.name_any(),
            images: Arc::new(ImageDirectory::open(folder.path().join("images")).unwrap()),
            signer: Arc::new(ImageSigner::open(&keys).unwrap()),
            server,
            controllers: None,
            _folder: folder,
        }
    }

    pub fn start_controllers(&mut self) {
        let shutdown = CancellationToken::new();
        let config = Config {
            namespace: Some(self.namespace.clone()),
            images: self.images.clone(),
            signer: Arc::clone(&self.signer),
            instance: "test".to_owned(),
        };
        let running = run(config, self.client.clone(), shutdown.clone());
        let task = tokio::spawn(async move { running.await.unwrap() });
        self.controllers = Some((shutdown, task));
    }

    pub async fn stop_controllers(&mut self) {
        if let Some((shutdown, task)) = self.controllers.take() {
            shutdown.cancel();
            tokio::time::timeout(PATIENCE, task).await.expect("the controllers stop").unwrap();
        }
    }

    pub async fn stop(mut self) {
        self.stop_controllers().await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object from its JSON.
    pub async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        self.try_create(object).await.unwrap()
    }

    /// Creates an object from its JSON, or says why the API refused it.
    pub async fn try_create<K>(&self, mut object: Value) -> kube::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        object["apiVersion"] = json!(K::api_version(&()));
        object["kind"] = json!(K::kind(&()));
        let object: K = serde_json::from_value(object).unwrap();
        self.api().create(&PostParams::default(), &object).await
    }

    /// Merges a patch into the spec and labels of an object.
    pub async fn patch<K>(&self, name: &str, patch: Value) -> kube::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
    }

    /// Applies a status as some manager.
    pub async fn apply_status<K>(&self, name: &str, manager: &str, status: Value)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": name },
            "status": status,
        });
        let params = PatchParams::apply(manager).force();
        let patched = self.api::<K>().patch_status(name, &params, &Patch::Apply(body)).await;
        patched.unwrap();
    }

    /// A ConfigMap with one module under the key `module.wasm`.
    pub async fn config_map(&self, name: &str, module: &[u8]) {
        let data = k8s_openapi::ByteString(module.to_vec());
        let object = json!({ "metadata": { "name": name }, "binaryData": { "module.wasm": data } });
        self.create::<ConfigMap>(object).await;
    }

    /// Waits until the object is as wanted, and returns it.
    pub async fn wait<K>(&self, name: &str, what: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let waited = await_condition(self.api::<K>(), name, |object: Option<&K>| {
            object.is_some_and(&wanted)
        });
        match tokio::time::timeout(PATIENCE, waited).await {
            Ok(found) => found.unwrap().unwrap(),
            Err(_) => {
                let found = self.api::<K>().get_opt(name).await;
                panic!("{name} did not become: {what}; it is {found:#?}")
            }
        }
    }

    /// Waits until the object is gone.
    pub async fn wait_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let waited = await_condition(self.api::<K>(), name, |object: Option<&K>| object.is_none());
        tokio::time::timeout(PATIENCE, waited).await.expect("it goes").unwrap();
    }

    /// Waits until a condition of this generation has this reason.
    pub async fn wait_reason(&self, name: &str, kind: &str, reason: &str) -> Application {
        let what = format!("{kind} with reason {reason}");
        self.wait(name, &what, |app: &Application| {
            let status = app.status.as_ref();
            let found = status.and_then(|status| condition::find(&status.conditions, kind));
            found.is_some_and(|found| {
                found.reason == reason && found.observed_generation == app.metadata.generation
            })
        })
        .await
    }
}

/// A client of the cluster that the kubeconfig names, with our definitions installed.
async fn connect(path: &Path) -> Client {
    let kubeconfig = kube::config::Kubeconfig::read_from(path).unwrap();
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    wasmbed_controllers::definitions::install(&client).await.unwrap();
    client
}

/// The digest of a module, as a spec says it.
pub fn digest(module: &[u8]) -> String {
    format!("sha256:{}", wasmbed_model::ids::sha256(module))
}

/// A module that logs, with `salt` in its memory so that each is another one.
pub fn module(salt: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "wasmbed" "log" (func $log (param i32 i32)))
            (memory 1)
            (data (i32.const 0) "{salt}")
            (func (export "run") (call $log (i32.const 0) (i32.const {}))))"#,
        salt.len()
    );
    wat::parse_str(text).unwrap()
}

/// An Application that runs the module of a ConfigMap on every device.
pub fn application(name: &str, config_map: Value) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": { "image": { "configMap": config_map }, "selector": {}, "capabilities": ["log"] },
    })
}
