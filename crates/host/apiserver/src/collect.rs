//! The collector: removes dependents whose owners are gone, what is left in namespaces that are
//! going, and Events that are too old. Sleeps while there is nothing of these.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::kind::{Kind, View};
use crate::limits;
use crate::object::{self, meta, meta_mut, owner_references};
use crate::remove::{Options, Propagation, remove};
use crate::server::Core;
use crate::status::Refusal;
use crate::store::{Key, Range};
use crate::write::Change;

const FOREGROUND: &str = "foregroundDeletion";

/// Works until shutdown.
pub(crate) async fn run(core: Arc<Core>) {
    let mut sweep = tokio::time::interval(limits::EVENT_SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let failed = match pass(&core).await {
            Ok(()) => false,
            Err(refusal) => {
                tracing::warn!(reason = refusal.message, "collector: pass");
                true
            }
        };
        tokio::select! {
            () = tokio::time::sleep(limits::COLLECTOR_RETRY), if failed => {}
            () = core.store.orphaned.notified() => {}
            _ = sweep.tick() => {
                if let Err(refusal) = expire_events(&core, jiff::Timestamp::now()).await {
                    tracing::warn!(reason = refusal.message, "collector: old events");
                }
            }
            () = core.shutdown.cancelled() => return,
        }
    }
}

async fn pass(core: &Core) -> Result<(), Refusal> {
    for (owner, key) in core.store.orphaned_owners().map_err(Refusal::internal)? {
        if collect(core, &owner, key).await? {
            core.store.forget_orphaned(&owner).map_err(Refusal::internal)?;
        }
    }
    let going: Vec<String> = core.going_namespaces();
    for namespace in going {
        empty(core, &namespace).await?;
    }
    Ok(())
}

/// Removes Events that were seen last too long before `now`.
async fn expire_events(core: &Core, now: jiff::Timestamp) -> Result<(), Refusal> {
    let Some(kind) = core.kinds.find("", "v1", "events").cloned() else { return Ok(()) };
    let mut old = Vec::new();
    let snapshot = core.store.snapshot().map_err(Refusal::internal)?;
    let range = Range::new(&kind.resource, None);
    let seen = snapshot.scan(&range, |key, json| {
        if is_old(json, now) {
            old.push(key);
        }
        true
    });
    seen.map_err(Refusal::internal)?;
    drop(snapshot);
    for key in old {
        let options = Options::internal("", Propagation::Background);
        ignore_missing(remove(core, &kind, key, &options).await.map(|_| ()))?;
    }
    Ok(())
}

fn is_old(json: &[u8], now: jiff::Timestamp) -> bool {
    let Ok(event) = object::parse(json) else { return false };
    let times = [
        Some(&event["metadata"]["creationTimestamp"]),
        event.get("lastTimestamp"),
        event.get("series").and_then(|series| series.get("lastObservedTime")),
    ];
    let times = times.into_iter().flatten().filter_map(Value::as_str);
    let last = times.filter_map(|text| text.parse::<jiff::Timestamp>().ok()).max();
    last.is_some_and(|last| now.duration_since(last) > limits::EVENT_AGE_MAX)
}

/// Deals with the dependents of one owner; true if nothing is left to do.
async fn collect(core: &Core, owner: &str, key: Option<Key>) -> Result<bool, Refusal> {
    let waiting = match key {
        Some(key) => waiting_owner(core, owner, key)?,
        None => None,
    };
    for key in core.store.dependents(owner).map_err(Refusal::internal)? {
        let Some(kind) = core.kinds.stored(&key.resource).cloned() else { continue };
        let Some(stored) = core.store.get(&key).map_err(Refusal::internal)? else { continue };
        let object = object::parse(&stored.json)?;
        let owners = owner_references(&object);
        let named = owners.iter().find(|one| one["uid"] == owner);
        if waiting.is_none() && named.is_some_and(|one| !core.is_absent(&key.namespace, one)) {
            // The owner is there and not going, or of a kind that is not served here.
            continue;
        }
        let mut others = owners.iter().filter(|one| one["uid"] != owner);
        if others.any(|one| !core.is_absent(&key.namespace, one)) {
            core.forget_owner(&key, owner).await?;
        } else if !object::is_going(&object) {
            let propagation =
                if waiting.is_some() { Propagation::Foreground } else { Propagation::Background };
            let options = Options::internal(meta(&object, "uid"), propagation);
            ignore_missing(remove(core, &kind, key.clone(), &options).await.map(|_| ()))?;
        }
    }
    let Some((kind, key)) = waiting else {
        // Dependents that finalizers hold are marked; nothing more to do for a gone owner.
        return Ok(true);
    };
    if !core.store.dependents(owner).map_err(Refusal::internal)?.is_empty() {
        return Ok(false);
    }
    release(core, &kind, key).await?;
    Ok(true)
}

/// The owner, if it is there and waits for its dependents.
fn waiting_owner(core: &Core, uid: &str, key: Key) -> Result<Option<(Arc<Kind>, Key)>, Refusal> {
    let Some(kind) = core.kinds.stored(&key.resource).cloned() else { return Ok(None) };
    let Some(stored) = core.store.get(&key).map_err(Refusal::internal)? else { return Ok(None) };
    let object = object::parse(&stored.json)?;
    let is_waiting = meta(&object, "uid") == uid
        && object::is_going(&object)
        && object::finalizers(&object).contains(&FOREGROUND);
    Ok(is_waiting.then_some((kind, key)))
}

/// Removes the finalizer that waited for dependents.
async fn release(core: &Core, kind: &Kind, key: Key) -> Result<(), Refusal> {
    let mut change = Change::internal(kind, key);
    let update = &mut |live: &Value| {
        let mut next = live.clone();
        if let Some(held) = meta_mut(&mut next).get_mut("finalizers").and_then(Value::as_array_mut)
        {
            held.retain(|one| one != FOREGROUND);
        }
        Ok(next)
    };
    ignore_missing(change.update(core, update).await.map(|_| ()))
}

/// Removes everything in a namespace that is going, and then the namespace.
async fn empty(core: &Core, namespace: &str) -> Result<(), Refusal> {
    let mut left = 0_usize;
    let resources: BTreeSet<_> = core
        .kinds
        .iter()
        .filter(|kind| kind.is_namespaced && kind.view == View::Stored)
        .map(|kind| kind.resource.clone())
        .collect();
    for resource in resources {
        let Some(kind) = core.kinds.stored(&resource).cloned() else { continue };
        let mut keys = Vec::new();
        let snapshot = core.store.snapshot().map_err(Refusal::internal)?;
        let range = Range::new(&resource, Some(namespace));
        snapshot
            .scan(&range, |key, _| {
                keys.push(key);
                true
            })
            .map_err(Refusal::internal)?;
        drop(snapshot);
        for key in keys {
            let options = Options::internal("", Propagation::Background);
            ignore_missing(remove(core, &kind, key.clone(), &options).await.map(|_| ()))?;
            left += usize::from(core.store.get(&key).map_err(Refusal::internal)?.is_some());
        }
    }
    if left > 0 {
        // Objects with finalizers: each removal wakes the collector again.
        return Ok(());
    }
    let Some(kind) = core.kinds.find("", "v1", "namespaces").cloned() else { return Ok(()) };
    let key = Key {
        resource: kind.resource.clone(),
        namespace: String::new(),
        name: namespace.to_owned(),
    };
    let mut change = Change::internal(&kind, key);
    let update = &mut |live: &Value| {
        let mut next = live.clone();
        next["spec"] = json!({"finalizers": []});
        Ok(next)
    };
    ignore_missing(change.update(core, update).await.map(|_| ()))?;
    core.namespace_gone(namespace);
    Ok(())
}

fn ignore_missing(result: Result<(), Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.code == 404 => Ok(()),
        result => result,
    }
}

impl Core {
    /// The owner that a reference names, if it exists and is that very one.
    fn owner(&self, namespace: &str, reference: &Value) -> Option<(Arc<Kind>, Key, Value)> {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or("");
        let kind = self.kinds.find_kind(text("apiVersion"), text("kind"))?.clone();
        let namespace = if kind.is_namespaced { namespace.to_owned() } else { String::new() };
        let key = Key { resource: kind.resource.clone(), namespace, name: text("name").to_owned() };
        let stored = self.store.get(&key).ok()??;
        let object = object::parse(&stored.json).ok()?;
        (meta(&object, "uid") == text("uid")).then_some((kind, key, object))
    }

    /// True if the kind of the owner is served here and there is no such object.
    fn is_absent(&self, namespace: &str, reference: &Value) -> bool {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or("");
        self.kinds.find_kind(text("apiVersion"), text("kind")).is_some()
            && self.owner(namespace, reference).is_none()
    }

    /// Hands owners that do not exist to the collector, as their dependents must not stay.
    pub(crate) fn check_owners(&self, namespace: &str, object: &Value) {
        for reference in owner_references(object) {
            let uid = reference.get("uid").and_then(Value::as_str).unwrap_or("");
            if self.is_absent(namespace, reference)
                && let Err(error) = self.store.mark_orphaned(uid, None)
            {
                tracing::warn!(%error, "collector: remember an absent owner");
            }
        }
    }

    /// Removes a reference to an owner.
    pub(crate) async fn forget_owner(&self, key: &Key, owner: &str) -> Result<(), Refusal> {
        let Some(kind) = self.kinds.stored(&key.resource).cloned() else { return Ok(()) };
        let mut change = Change::internal(&kind, key.clone());
        let update = &mut |live: &Value| {
            let mut next = live.clone();
            let owners = meta_mut(&mut next).get_mut("ownerReferences");
            if let Some(owners) = owners.and_then(Value::as_array_mut) {
                owners.retain(|one| one["uid"] != owner);
            }
            Ok(next)
        };
        ignore_missing(change.update(self, update).await.map(|_| ()))
    }
}

#[cfg(test)]
mod tests;
