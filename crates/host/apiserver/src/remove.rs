//! Removal of one object or many. Dependents are the collector's business.

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::decode;
use crate::kind::Kind;
use crate::limits;
use crate::list::{Pass, Selection};
use crate::object::{self, finalizers, meta, meta_mut};
use crate::reply::{self, Reply};
use crate::request::{Asked, Target};
use crate::server::Core;
use crate::status::Refusal;
use crate::store::{Action, Key};
use crate::write::{Change, key_of};

/// What becomes of the objects that name the removed one as their owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Propagation {
    /// They are removed afterwards.
    Background,
    /// They are removed before.
    Foreground,
    /// They stay, without the owner.
    Orphan,
}

const FOREGROUND: &str = "foregroundDeletion";

/// Options of a removal.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) propagation: Propagation,
    uid: String,
    version: String,
    is_dry_run: bool,
}

impl Options {
    /// A removal by the server itself.
    pub(crate) fn internal(uid: &str, propagation: Propagation) -> Self {
        Self { propagation, uid: uid.to_owned(), version: String::new(), is_dry_run: false }
    }

    /// Reads the body, or the query where there is none.
    fn parse(asked: &Asked, body: &Bytes) -> Result<Self, Refusal> {
        let options = if body.is_empty() { Value::Null } else { decode::yaml(body)?.value };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
        let mut policy = text(options.get("propagationPolicy"));
        if policy.is_empty() {
            policy = asked.query.value("propagationPolicy").to_owned();
        }
        let is_old_orphan = options.get("orphanDependents").and_then(Value::as_bool) == Some(true);
        let propagation = match policy.as_str() {
            "" if is_old_orphan => Propagation::Orphan,
            "" | "Background" => Propagation::Background,
            "Foreground" => Propagation::Foreground,
            "Orphan" => Propagation::Orphan,
            other => {
                let why = format!(
                    "propagationPolicy: Unsupported value: \"{other}\": supported values: \
                     \"Foreground\", \"Background\", \"Orphan\""
                );
                return Err(Refusal::invalid_options("DeleteOptions", &why));
            }
        };
        let conditions = options.get("preconditions");
        let condition = |name: &str| text(conditions.and_then(|all| all.get(name)));
        let is_dry_run =
            options.get("dryRun").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        Ok(Self {
            propagation,
            uid: condition("uid"),
            version: condition("resourceVersion"),
            is_dry_run: is_dry_run || asked.is_dry_run()?,
        })
    }
}

/// How a removal went.
pub(crate) enum Removed {
    /// The object is gone; its uid.
    Gone(String),
    /// It is marked and waits for its finalizers.
    Going(Bytes),
}

/// DELETE of one object.
pub(crate) async fn delete(
    core: &Core,
    asked: &Asked,
    kind: &Kind,
    target: &Target,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    let options = Options::parse(asked, body)?;
    let key = key_of(kind, target);
    let name = key.name.clone();
    Ok(match remove(core, kind, key, &options).await? {
        Removed::Going(json) => reply::bytes(StatusCode::OK, json),
        Removed::Gone(uid) => {
            let mut details = json!({"name": name, "kind": kind.plural, "uid": uid});
            if !kind.group.is_empty() {
                details["group"] = json!(kind.group);
            }
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": details,
            });
            reply::json(StatusCode::OK, &status)
        }
    })
}

/// DELETE of a collection: what is selected goes, one object after the other.
pub(crate) async fn delete_collection(
    core: &Core,
    asked: &Asked,
    kind: &Arc<Kind>,
    target: &Target,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    let options = Options::parse(asked, body)?;
    let selection = Selection::of(asked, kind, target)?;
    let mut pass = Pass::new(core, &selection)?;
    let mut found: Vec<(Key, Bytes)> = Vec::new();
    let revision = pass.snapshot.revision;
    pass.advance(&selection, |key, json| {
        found.push((key.clone(), json));
        found.len() < limits::PAGE_OBJECTS_MAX
    })?;
    drop(pass);
    let head =
        format!("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",", kind.list_kind, kind.api_version());
    let mut list = BytesMut::from(head.as_bytes());
    list.put(format!("\"metadata\":{{\"resourceVersion\":\"{revision}\"}},\"items\":[").as_bytes());
    for (index, (key, json)) in found.into_iter().enumerate() {
        match remove(core, kind, key, &options).await {
            Ok(_) => {}
            // Somebody else was faster.
            Err(refusal) if refusal.code == 404 => {}
            Err(refusal) => return Err(refusal),
        }
        if index > 0 {
            list.put_u8(b',');
        }
        list.put(json);
    }
    list.put(&b"]}"[..]);
    Ok(reply::bytes(StatusCode::OK, list.freeze()))
}

/// Removes one object, or marks it if somebody holds it.
pub(crate) async fn remove(
    core: &Core,
    kind: &Kind,
    key: Key,
    options: &Options,
) -> Result<Removed, Refusal> {
    let mut last = Refusal::stale(kind, &key.name);
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        let stored = core.store.get(&key).map_err(Refusal::internal)?;
        let stored = stored.ok_or_else(|| Refusal::not_found(kind, &key.name))?;
        let mut change = Change::internal(kind, key.clone());
        if options.is_dry_run {
            change.set_dry_run();
        }
        let live = change.present(&stored.json)?;
        check_conditions(kind, &live, options)?;
        let uid = meta(&live, "uid").to_owned();
        let dependents = core.store.dependents(&uid).map_err(Refusal::internal)?;
        if options.propagation == Propagation::Orphan && !change.is_dry_run() {
            for dependent in &dependents {
                core.forget_owner(dependent, &uid).await?;
            }
        }
        let waits = options.propagation == Propagation::Foreground && !dependents.is_empty();
        let next = going(core, kind, &live, waits)?;
        let is_held = !finalizers(&next).is_empty() || kind.resource.as_ref() == "/namespaces";
        if is_held && next == live {
            return Ok(Removed::Going(crate::events::bytes(kind, &stored.json)?));
        }
        let action = if is_held { Action::Put } else { Action::Delete };
        match change.store_going(core, &stored, &live, &next, action).await {
            Err(refusal) if refusal.reason == "Conflict" => last = refusal,
            Err(refusal) => return Err(refusal),
            Ok(_) if !is_held => return Ok(Removed::Gone(uid)),
            Ok(stored) => {
                if !change.is_dry_run() {
                    core.note_going(kind, &key, waits.then_some(uid.as_str()))?;
                }
                return Ok(Removed::Going(crate::events::bytes(kind, &stored.json)?));
            }
        }
    }
    Err(last)
}

fn check_conditions(kind: &Kind, live: &Value, options: &Options) -> Result<(), Refusal> {
    let name = meta(live, "name");
    for (what, wanted, found) in [
        ("UID", &options.uid, meta(live, "uid")),
        ("ResourceVersion", &options.version, meta(live, "resourceVersion")),
    ] {
        if !wanted.is_empty() && wanted != found {
            let why = format!(
                "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
            );
            return Err(Refusal::conflict(kind, name, &why));
        }
    }
    Ok(())
}

/// The object, marked as going.
fn going(core: &Core, kind: &Kind, live: &Value, waits: bool) -> Result<Value, Refusal> {
    let mut next = live.clone();
    let is_new = !object::is_going(live);
    let generation = live["metadata"]["generation"].as_i64();
    let meta = meta_mut(&mut next);
    if waits {
        let held = meta.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(held) = held.as_array_mut()
            && !held.iter().any(|one| one == FOREGROUND)
        {
            held.push(json!(FOREGROUND));
        }
    }
    if is_new {
        meta.insert("deletionTimestamp".to_owned(), json!(object::now()));
        meta.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
        if let Some(generation) = generation.filter(|_| kind.has_generation) {
            meta.insert("generation".to_owned(), json!(generation + 1));
        }
    }
    if kind.resource.as_ref() == "/namespaces" {
        if core.is_permanent_namespace(object::meta(live, "name")) {
            let why = "this namespace may not be deleted";
            return Err(Refusal::forbidden(kind, object::meta(live, "name"), why));
        }
        next["status"] = json!({"phase": "Terminating"});
    }
    Ok(next)
}
