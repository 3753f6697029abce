//! Starting and stopping, and the state that all requests share.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access::Tokens;
use crate::aggregate::Backends;
use crate::authority::Identity;
use crate::config::{AggregatedApi, Config, Token};
use crate::kind::{Kind, KindError, Kinds};
use crate::object;
use crate::request::{Asked, Query, User};
use crate::route::handle;
use crate::status::Refusal;
use crate::store::{Action, Expect, Key, Range, Store, Write};
use crate::{accept, authority, collect, limits};

/// Namespaces that are made at start and cannot be removed.
const NAMESPACES: [&str; 2] = ["default", "kube-system"];

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or directory in the data directory cannot be used.
    #[error("{}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("open the database in {}: {why}", path.display())]
    Database {
        /// Data directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// Address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The certificate cannot be used or made.
    #[error("server certificate: {why}")]
    Certificate {
        /// Why not.
        why: String,
    },
    /// A custom resource definition cannot be served.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// An aggregated API is configured wrongly.
    #[error("aggregated API {group}: {why}")]
    Aggregated {
        /// Its group.
        group: String,
        /// What is wrong.
        why: String,
    },
    /// What must be there at start cannot be stored.
    #[error("store {what}: {why}")]
    Prepare {
        /// What was to be stored.
        what: String,
        /// Why it was refused.
        why: String,
    },
}

/// State that all requests share.
pub(crate) struct Core {
    pub(crate) store: Arc<Store>,
    pub(crate) kinds: Kinds,
    pub(crate) tokens: Tokens,
    pub(crate) backends: Backends,
    pub(crate) watches: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) requests: AtomicU64,
    going: Mutex<BTreeSet<String>>,
}

impl Core {
    /// Refuses to create in a namespace that is not there, or is going.
    pub(crate) fn check_namespace(&self, kind: &Kind, key: &Key) -> Result<(), Refusal> {
        if !kind.is_namespaced {
            return Ok(());
        }
        let Some(namespaces) = self.kinds.find("", "v1", "namespaces") else { return Ok(()) };
        if self.going().contains(&key.namespace) {
            let why = format!(
                "unable to create new content in namespace {} because it is being terminated",
                key.namespace
            );
            return Err(Refusal::forbidden(kind, &key.name, &why));
        }
        let namespace = Key {
            resource: namespaces.resource.clone(),
            namespace: String::new(),
            name: key.namespace.clone(),
        };
        match self.store.get(&namespace).map_err(Refusal::internal)? {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found(namespaces, &key.namespace)),
        }
    }

    /// True for namespaces that this server needs.
    pub(crate) fn is_permanent_namespace(&self, name: &str) -> bool {
        NAMESPACES.contains(&name)
    }

    /// Remembers what was marked for removal, and wakes the collector.
    pub(crate) fn note_going(
        &self,
        kind: &Kind,
        key: &Key,
        waiting_owner: Option<&str>,
    ) -> Result<(), Refusal> {
        if kind.resource.as_ref() == "/namespaces" {
            self.going().insert(key.name.clone());
            self.store.orphaned.notify_one();
        }
        match waiting_owner {
            Some(uid) => self.store.mark_orphaned(uid, Some(key)).map_err(Refusal::internal),
            None => Ok(()),
        }
    }

    /// Namespaces that are going.
    pub(crate) fn going_namespaces(&self) -> Vec<String> {
        self.going().iter().cloned().collect()
    }

    /// Forgets a namespace that is gone.
    pub(crate) fn namespace_gone(&self, name: &str) {
        self.going().remove(name);
    }

    fn going(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server.
pub struct ApiServer;

impl ApiServer {
    /// Opens the store, listens, and serves until [`Running::stop`] or the end of the runtime.
    ///
    /// # Errors
    /// [`StartError`] if any part of the configuration cannot be used.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let directory = config.data_dir.clone();
        let failed = |source| StartError::File { path: directory.clone(), source };
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&directory, private).map_err(failed)?;
        let kinds = Kinds::new(&config.crds)?;
        let Identity { tls, ca_pem } = authority::identity(&config)?;
        let (store, writer) = Store::open(&directory).map_err(|error| StartError::Database {
            path: directory.clone(),
            why: error.to_string(),
        })?;
        // A database of another mode is one that somebody copied here.
        std::fs::set_permissions(
            directory.join("objects.redb"),
            std::fs::Permissions::from_mode(0o600),
        )
        .map_err(failed)?;
        let core = Arc::new(Core {
            store,
            kinds,
            tokens: Tokens::new(&config.tokens),
            backends: Backends::default(),
            watches: Arc::new(Semaphore::new(limits::WATCHES_MAX)),
            shutdown: CancellationToken::new(),
            requests: AtomicU64::new(0),
            going: Mutex::new(BTreeSet::new()),
        });
        core.backends.set(&config.aggregated)?;
        prepare(&core, &config).await?;
        let listen_failed = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let listening = tokio::spawn(accept::run(core.clone(), listener, tls));
        let collecting = tokio::spawn(collect::run(core.clone()));
        let (tokens, guard) = (config.tokens, Guard(core.clone()));
        Ok(Running { core, guard, address, ca_pem, tokens, listening, collecting, writer })
    }
}

/// A server that runs.
pub struct Running {
    core: Arc<Core>,
    guard: Guard,
    address: SocketAddr,
    ca_pem: String,
    tokens: Vec<Token>,
    listening: tokio::task::JoinHandle<()>,
    collecting: tokio::task::JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
}

impl Running {
    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority that clients should trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A client inside this process, without TLS, that may do everything.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client_as("wasmbed", &["system:masters"])
    }

    /// A client inside this process that acts as the given user.
    #[must_use]
    pub fn client_as(&self, user: &str, groups: &[&str]) -> kube::Client {
        let mut groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        groups.push("system:authenticated".to_owned());
        let user = User { name: user.to_owned(), groups };
        let core = self.core.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (core, user) = (core.clone(), user.clone());
            async move { Ok::<_, std::convert::Infallible>(handle(core, Some(user), request).await) }
        });
        kube::Client::new(service, "default")
    }

    /// A kubeconfig with the token of `user`; `None` if no token was configured for them.
    #[must_use]
    pub fn kubeconfig(&self, user: &str) -> Option<String> {
        let token = self.tokens.iter().find(|token| token.user == user)?;
        let ca = base64::engine::general_purpose::STANDARD.encode(&self.ca_pem);
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "wasmbed",
            "clusters": [{"name": "wasmbed", "cluster": {
                "server": format!("https://{host}:{}", self.address.port()),
                "certificate-authority-data": ca,
            }}],
            "users": [{"name": format!("wasmbed-{user}"), "user": {"token": token.token}}],
            "contexts": [{"name": "wasmbed", "context": {
                "cluster": "wasmbed", "user": format!("wasmbed-{user}"), "namespace": "default",
            }}],
        });
        serde_saphyr::to_string(&kubeconfig).ok()
    }

    /// Replaces the aggregated APIs; requests in progress go on.
    ///
    /// # Errors
    /// [`StartError::Aggregated`] if one of them is configured wrongly; then none changes.
    pub fn set_aggregated(&self, apis: &[AggregatedApi]) -> Result<(), StartError> {
        self.core.backends.set(apis)
    }

    /// What all requests share, for tests of this crate.
    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Ends watches and connections, then puts what is queued on disk.
    pub async fn stop(self) {
        self.core.shutdown.cancel();
        let _ = self.listening.await;
        let _ = self.collecting.await;
        drop(self.guard);
        let writer = self.writer;
        // The writer ends as soon as its queue is empty; a panic in it was logged there.
        let _ = tokio::task::spawn_blocking(move || writer.join()).await;
    }
}

/// Ends everything when the last handle of the server is dropped without [`Running::stop`].
struct Guard(Arc<Core>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.shutdown.cancel();
        self.0.store.close();
    }
}

/// Makes the namespaces that are always there, and the definitions as objects to read.
async fn prepare(core: &Arc<Core>, config: &Config) -> Result<(), StartError> {
    for name in NAMESPACES {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        prepare_namespace(core, name, &body).await?;
    }
    for definition in &config.crds {
        let mut object = serde_json::to_value(definition).unwrap_or(Value::Null);
        prepare_definition(core, &mut object).await?;
    }
    let snapshot = core.store.snapshot().map_err(|error| prepare_error("namespaces", error))?;
    let mut going = Vec::new();
    let seen = snapshot.scan(&Range::new("/namespaces", None), |key, json| {
        if object::parse(json).is_ok_and(|object| object::is_going(&object)) {
            going.push(key.name);
        }
        true
    });
    seen.map_err(|error| prepare_error("namespaces", error))?;
    core.going().extend(going);
    Ok(())
}

fn prepare_error(what: &str, why: impl std::fmt::Display) -> StartError {
    StartError::Prepare { what: what.to_owned(), why: why.to_string() }
}

async fn prepare_namespace(core: &Arc<Core>, name: &str, body: &Value) -> Result<(), StartError> {
    let Some(kind) = core.kinds.find("", "v1", "namespaces") else { return Ok(()) };
    let asked = Asked {
        method: http::Method::POST,
        query: Query::default(),
        accept: String::new(),
        content_type: String::new(),
        user_agent: "apiserver".to_owned(),
        user: User::default(),
    };
    let target = crate::request::Target::default();
    match crate::write::create(core, &asked, kind, &target, &body.to_string().into()).await {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.reason == "AlreadyExists" => Ok(()),
        Err(refusal) => Err(prepare_error(name, refusal.message)),
    }
}

/// Stores a definition, if it is new or differs from the one of the last start.
async fn prepare_definition(core: &Arc<Core>, object: &mut Value) -> Result<(), StartError> {
    let name = object::meta(object, "name").to_owned();
    let key = Key {
        resource: "apiextensions.k8s.io/customresourcedefinitions".into(),
        namespace: String::new(),
        name: name.clone(),
    };
    let stored = core.store.get(&key).map_err(|error| prepare_error(&name, error))?;
    let before = stored.as_ref().and_then(|stored| object::parse(&stored.json).ok());
    let is_same = before.as_ref().is_some_and(|before| before.get("spec") == object.get("spec"));
    if is_same {
        return Ok(());
    }
    let inherited =
        |field: &str| before.as_ref().map(|before| object::meta(before, field).to_owned());
    let uid = inherited("uid").unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let created = inherited("creationTimestamp").unwrap_or_else(object::now);
    let generation = before.as_ref().and_then(|one| one["metadata"]["generation"].as_i64());
    let fields = object::map_mut(object);
    fields.insert("apiVersion".to_owned(), json!("apiextensions.k8s.io/v1"));
    fields.insert("kind".to_owned(), json!("CustomResourceDefinition"));
    let versions = fields["spec"]["versions"].as_array().cloned().unwrap_or_default();
    let stored_versions: Vec<Value> = versions
        .iter()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let condition = |kind: &str, reason: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": "",
            "lastTransitionTime": created,
        })
    };
    let status = json!({
        "acceptedNames": fields["spec"]["names"], "storedVersions": stored_versions,
        "conditions": [
            condition("NamesAccepted", "NoConflicts"), condition("Established", "InitialNamesAccepted"),
        ],
    });
    fields.insert("status".to_owned(), status);
    let meta = object::meta_mut(object);
    meta.insert("uid".to_owned(), json!(uid));
    meta.insert("creationTimestamp".to_owned(), json!(created));
    meta.insert("generation".to_owned(), json!(generation.unwrap_or(0) + 1));
    let draft = object::draft(object).map_err(|refusal| prepare_error(&name, refusal.message))?;
    let expect = stored.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
    let (owners_added, owners_removed) = (Vec::new(), Vec::new());
    let write =
        Write { key, expect, action: Action::Put, draft, uid, owners_added, owners_removed };
    core.store.write(write).await.map(|_| ()).map_err(|error| prepare_error(&name, error))
}
