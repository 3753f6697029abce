//! What every controller works with, and how its requests are driven.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::{NamespaceResourceScope, Resource};
use kube::runtime::controller::{self, Action, applier};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wasmbed_model::image_store::ImageStore;
use wasmbed_pki::ImageSigner;

use crate::application::Attempts;
use crate::fetch::Fetcher;
use crate::leases::Leases;
use crate::limits;
use crate::status::ReconcileError;
use crate::watches::Caches;

/// What every controller works with.
pub struct Context {
    /// The API.
    pub client: Client,
    /// What the cluster is known to hold.
    pub caches: Caches,
    /// Which gateway processes are alive.
    pub leases: Leases,
    /// Where images go.
    pub images: Arc<dyn ImageStore>,
    /// Who signs them.
    pub signer: Arc<ImageSigner>,
    /// Fetches modules.
    pub fetcher: Fetcher,
    /// What preparing came to, for each Application.
    pub attempts: Attempts,
    /// Publishes Events.
    pub recorder: Recorder,
    /// What time it is.
    pub clock: fn() -> Timestamp,
    /// Failures in a row, by kind, namespace and name.
    pub failures: Mutex<HashMap<String, u32>>,
}

impl Context {
    /// What time it is, as conditions say it.
    pub fn now(&self) -> Time {
        Time((self.clock)())
    }

    /// What time it is, in seconds of Unix time.
    pub fn now_s(&self) -> i64 {
        (self.clock)().as_second()
    }

    /// Publishes an Event about `object`. One that is lost is only logged: statuses carry the state.
    pub async fn publish<K>(
        &self,
        object: &K,
        warning: bool,
        reason: &str,
        action: &str,
        note: &str,
    ) where
        K: Resource<DynamicType = ()>,
    {
        let type_ = if warning { EventType::Warning } else { EventType::Normal };
        let mut note = note.to_owned();
        note.truncate(note.floor_char_boundary(1000));
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(%error, reason, "an Event was not published");
        }
    }

    /// The pause after another failure of this object.
    fn pause_after(&self, key: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.to_owned()).or_insert(0);
        let pause = retry_pause(*count);
        *count += 1;
        pause
    }

    fn succeeded(&self, key: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The pause after `failures` failures in a row: it doubles up to a bound.
pub fn retry_pause(failures: u32) -> Duration {
    let doubled = limits::RETRY_FIRST.checked_mul(1 << failures.min(16));
    doubled.unwrap_or(limits::RETRY_MAX).min(limits::RETRY_MAX)
}

/// Reconciles what the queue names until it is closed.
pub async fn drive<K, F, Done>(
    context: Arc<Context>,
    store: Store<K>,
    requests: mpsc::Receiver<ObjectRef<K>>,
    shutdown: CancellationToken,
    reconcile: F,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
    ObjectRef<K>: Hash + Eq,
    F: Fn(Arc<K>, Arc<Context>) -> Done + Clone + Send + 'static,
    Done: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
{
    let queue = stream::unfold(requests, async |mut requests| {
        let request = requests.recv().await?;
        Some((Ok::<_, Infallible>(request), requests))
    });
    let queue = Box::pin(queue.take_until(shutdown.cancelled_owned()));
    // No debounce: a device that never stops reporting would put it off for ever. Requests that
    // come while the same object is at work become one anyway.
    let config = controller::Config::default().concurrency(limits::CONCURRENT_RECONCILES);
    let one = move |object: Arc<K>, context: Arc<Context>| {
        let reconcile = reconcile.clone();
        Box::pin(async move {
            let key = key_of(&*object);
            let result = reconcile(object, Arc::clone(&context)).await;
            if result.is_ok() {
                context.succeeded(&key);
            }
            result
        })
    };
    let results = applier(one, after_failure, context, store, queue, config);
    let mut results = std::pin::pin!(results);
    while let Some(result) = results.next().await {
        if let Err(error @ controller::Error::QueueError(_)) = result {
            tracing::error!(%error, "a queue of the controllers failed");
        }
    }
}

fn key_of<K: Resource<DynamicType = ()>>(object: &K) -> String {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    format!("{}/{namespace}/{name}", K::kind(&()))
}

fn after_failure<K: Resource<DynamicType = ()>>(
    object: Arc<K>,
    error: &ReconcileError,
    context: Arc<Context>,
) -> Action {
    if error.is_conflict() {
        return Action::requeue(limits::CONFLICT_PAUSE);
    }
    let key = key_of(&*object);
    if error.is_gone() {
        context.succeeded(&key);
        return Action::await_change();
    }
    let pause = context.pause_after(&key);
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(object = key, %error, source, ?pause, "reconciling stopped");
    Action::requeue(pause)
}
