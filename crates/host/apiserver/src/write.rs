//! Creates and changes: from a request body to a stored object. Removal is in `remove`.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::apply;
use crate::decode::{self, Decoded};
use crate::kind::{Kind, View};
use crate::limits;
use crate::managed::{self, Manager, Operation};
use crate::object::{self, meta, meta_mut};
use crate::patch::{self, PatchType};
use crate::protobuf;
use crate::reply::{self, Reply};
use crate::request::{Asked, Target};
use crate::server::Core;
use crate::status::{Cause, Refusal};
use crate::store::{Action, Expect, Key, StoreError, Stored, Write};
use crate::{events, scale, table};

/// What to do about fields that are unknown or there twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FieldValidation {
    Strict,
    Warn,
    Ignore,
}

/// One write in progress.
pub(crate) struct Change<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) key: Key,
    pub(crate) subresource: String,
    manager: Manager,
    validation: FieldValidation,
    is_dry_run: bool,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Change<'a> {
    /// Reads the options of a write.
    pub(crate) fn new(asked: &Asked, kind: &'a Kind, target: &Target) -> Result<Self, Refusal> {
        let validation = match asked.query.value("fieldValidation") {
            "Strict" => FieldValidation::Strict,
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            other => {
                let why = format!(
                    "fieldValidation: Unsupported value: \"{other}\": supported values: \"\", \
                     \"Ignore\", \"Strict\", \"Warn\""
                );
                return Err(Refusal::invalid_options("Options", &why));
            }
        };
        let subresource = target.subresource.clone().unwrap_or_default();
        Ok(Self {
            kind,
            key: key_of(kind, target),
            manager: Manager {
                name: asked.field_manager()?,
                operation: Operation::Update,
                api_version: kind.api_version(),
                subresource: subresource.clone(),
            },
            subresource,
            validation,
            is_dry_run: asked.is_dry_run()?,
            warnings: Vec::new(),
        })
    }

    /// A write by the server itself.
    pub(crate) fn internal(kind: &'a Kind, key: Key) -> Self {
        Self {
            kind,
            key,
            subresource: String::new(),
            manager: Manager {
                name: "apiserver".to_owned(),
                operation: Operation::Update,
                api_version: kind.api_version(),
                subresource: String::new(),
            },
            validation: FieldValidation::Ignore,
            is_dry_run: false,
            warnings: Vec::new(),
        }
    }
}

/// The store's key of what a path names.
pub(crate) fn key_of(kind: &Kind, target: &Target) -> Key {
    Key {
        resource: kind.resource.clone(),
        namespace: target.namespace.clone().unwrap_or_default(),
        name: target.name.clone().unwrap_or_default(),
    }
}

/// Turns what the store says into what the client is told.
pub(crate) fn refuse(kind: &Kind, name: &str, error: StoreError) -> Refusal {
    match error {
        StoreError::Conflict => Refusal::stale(kind, name),
        StoreError::Exists => Refusal::exists(kind, name),
        StoreError::Closed => Refusal::unavailable("the server is stopping"),
        error @ StoreError::Disk(_) => Refusal::unavailable(error.to_string()),
        other => Refusal::internal(other),
    }
}

/// POST on a collection.
pub(crate) async fn create(
    core: &Core,
    asked: &Asked,
    kind: &Kind,
    target: &Target,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    let mut change = Change::new(asked, kind, target)?;
    let decoded = decode_body(asked, kind, body)?;
    let mut object = decoded.value;
    check_type(kind, &object)?;
    change.report(&[], &decoded.duplicates)?;
    if !meta(&object, "resourceVersion").is_empty() {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(Refusal::bad_request(message));
    }
    name_it(&mut change, &mut object)?;
    meta_mut(&mut object).shift_remove("managedFields");
    let stored = change.store_new(core, object, None).await?;
    change.answer(asked, StatusCode::CREATED, &stored)
}

/// PUT of one object.
pub(crate) async fn replace(
    core: &Core,
    asked: &Asked,
    kind: &Kind,
    target: &Target,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    let mut change = Change::new(asked, kind, target)?;
    let decoded = decode_body(asked, kind, body)?;
    if change.subresource == "scale" {
        return scale::replace(core, asked, change, &decoded.value).await;
    }
    check_type(kind, &decoded.value)?;
    change.report(&[], &decoded.duplicates)?;
    let is_there = core.store.get(&change.key).map_err(Refusal::internal)?.is_some();
    if meta(&decoded.value, "resourceVersion").is_empty() && kind.is_custom && is_there {
        let message = "Invalid value: 0x0: must be specified for an update".to_owned();
        let field = "metadata.resourceVersion".to_owned();
        let cause = Cause { reason: "FieldValueInvalid", message, field };
        return Err(Refusal::invalid(kind, &change.key.name, &[cause]));
    }
    let stored = change.update(core, &mut |_| Ok(decoded.value.clone())).await?;
    change.answer(asked, StatusCode::OK, &stored)
}

/// PATCH of one object, in any of the four patch types.
pub(crate) async fn patch(
    core: &Core,
    asked: &Asked,
    kind: &Kind,
    target: &Target,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    let mut change = Change::new(asked, kind, target)?;
    let patch_type = PatchType::of(&asked.content_type, kind.is_custom)?;
    if patch_type == PatchType::Apply {
        if asked.query.value("fieldManager").is_empty() {
            let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: \
                           is required for apply patch";
            return Err(Refusal::new(422, "Invalid", message));
        }
        change.manager.operation = Operation::Apply;
        let config = decode::yaml(body)?;
        return apply_patch(core, asked, change, config).await;
    }
    let document = decode::json(body)?;
    change.report(&[], &document.duplicates)?;
    if change.subresource == "scale" {
        return scale::patch(core, asked, change, patch_type, &document.value).await;
    }
    let stored = change
        .update(core, &mut |live| patch::patch(kind, patch_type, live, &document.value))
        .await?;
    change.answer(asked, StatusCode::OK, &stored)
}

async fn apply_patch(
    core: &Core,
    asked: &Asked,
    mut change: Change<'_>,
    config: Decoded,
) -> Result<Reply, Refusal> {
    let kind = change.kind;
    let mut wanted = config.value;
    check_type(kind, &wanted)?;
    check_identity(&change.key, &wanted)?;
    if wanted.get("metadata").is_some_and(|meta| meta.get("managedFields").is_some()) {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    let mut unknown = Vec::new();
    kind.schema.prune(&mut wanted, "", &mut unknown);
    if let Some(path) = unknown.first() {
        // A real server refuses with this code and these words, whatever fieldValidation says.
        return Err(Refusal::internal_as(format!(
            "failed to create typed patch object ({}/{}; {}, Kind={}): .{path}: field not declared \
             in schema",
            change.key.namespace,
            change.key.name,
            kind.api_version(),
            kind.kind
        )));
    }
    change.report(&[], &config.duplicates)?;
    keep_writable(kind, &change.subresource, &mut wanted);
    let is_forced = asked.query.flag("force");
    let manager = change.manager.clone();
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        if core.store.get(&change.key).map_err(Refusal::internal)?.is_some() {
            let merged = &mut |live: &Value| apply::apply(kind, live, &wanted, &manager, is_forced);
            match change.update(core, merged).await {
                Err(refusal) if refusal.code == 404 => continue,
                result => return change.answer(asked, StatusCode::OK, &result?),
            }
        }
        if !change.subresource.is_empty() {
            return Err(Refusal::not_found(kind, &change.key.name));
        }
        if !meta(&wanted, "uid").is_empty() {
            let why = "uid mismatch: the provided object specified a uid, and none exists";
            return Err(Refusal::conflict(kind, &change.key.name, why));
        }
        let object = apply::apply(kind, &apply::blank(&wanted), &wanted, &manager, true)?;
        match change.store_new(core, object, Some(())).await {
            Err(refusal) if refusal.reason == "AlreadyExists" => {}
            result => return change.answer(asked, StatusCode::CREATED, &result?),
        }
    }
    Err(Refusal::stale(kind, &change.key.name))
}

/// Drops from an applied configuration what its path cannot write.
fn keep_writable(kind: &Kind, subresource: &str, config: &mut Value) {
    let Some(fields) = config.as_object_mut() else { return };
    match subresource {
        "status" => fields.retain(|name, _| {
            matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status")
        }),
        _ if kind.has_status => {
            fields.shift_remove("status");
        }
        _ => {}
    }
}

fn decode_body(asked: &Asked, kind: &Kind, body: &Bytes) -> Result<Decoded, Refusal> {
    match asked.content_type.as_str() {
        "" | "application/json" => decode::json(body),
        "application/yaml" => decode::yaml(body),
        "application/vnd.kubernetes.protobuf" if !kind.is_custom => {
            let value = protobuf::decode(&kind.kind, body);
            let value =
                value.ok_or_else(|| Refusal::bad_request("the body is not valid protobuf"))?;
            Ok(Decoded { value, duplicates: Vec::new() })
        }
        _ => Err(Refusal::unsupported_media("application/json, application/yaml")),
    }
}

fn check_type(kind: &Kind, object: &Value) -> Result<(), Refusal> {
    let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or("");
    if field("kind").is_empty() {
        return Err(Refusal::bad_request("Object 'Kind' is missing in the body"));
    }
    if field("kind") != kind.kind {
        let message = format!(
            "the kind in the data ({}) does not match the expected kind ({})",
            field("kind"),
            kind.kind
        );
        return Err(Refusal::bad_request(message));
    }
    if field("apiVersion") != kind.api_version() {
        let message = format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            field("apiVersion"),
            kind.api_version()
        );
        return Err(Refusal::bad_request(message));
    }
    Ok(())
}

fn check_identity(key: &Key, object: &Value) -> Result<(), Refusal> {
    let (name, namespace) = (meta(object, "name"), meta(object, "namespace"));
    if !name.is_empty() && name != key.name {
        let message = format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            key.name
        );
        return Err(Refusal::bad_request(message));
    }
    if !namespace.is_empty() && namespace != key.namespace {
        let message = "the namespace of the provided object does not match the namespace sent on \
                       the request";
        return Err(Refusal::bad_request(message));
    }
    Ok(())
}

fn name_it(change: &mut Change<'_>, object: &mut Value) -> Result<(), Refusal> {
    let prefix = meta(object, "generateName").to_owned();
    let mut name = meta(object, "name").to_owned();
    if name.is_empty() && !prefix.is_empty() {
        name = format!("{}{}", prefix.chars().take(58).collect::<String>(), suffix());
    }
    if name.is_empty() {
        let message = "Required value: name or generateName is required".to_owned();
        let field = "metadata.name".to_owned();
        let cause = Cause { reason: "FieldValueRequired", message, field };
        return Err(Refusal::invalid(change.kind, "", &[cause]));
    }
    change.key.name = name;
    check_identity(&change.key, object)
}

/// Five symbols that read unambiguously and spell nothing.
fn suffix() -> String {
    const SYMBOLS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = uuid::Uuid::new_v4().as_u128();
    let mut text = String::new();
    for _ in 0..5 {
        let at = usize::try_from(random % SYMBOLS.len() as u128).unwrap_or(0);
        text.extend(SYMBOLS.get(at).map(|&symbol| char::from(symbol)));
        random /= SYMBOLS.len() as u128;
    }
    text
}

impl Change<'_> {
    fn report(&mut self, unknown: &[String], duplicates: &[String]) -> Result<(), Refusal> {
        let unknown = unknown.iter().map(|path| format!("unknown field \"{path}\""));
        let duplicates = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        let found: Vec<String> = unknown.chain(duplicates).take(limits::CAUSES_MAX).collect();
        match self.validation {
            FieldValidation::Ignore => {}
            _ if found.is_empty() => {}
            FieldValidation::Warn => {
                let new = found.into_iter().filter(|one| !self.warnings.contains(one));
                let new: Vec<String> = new.collect();
                self.warnings.extend(new);
            }
            FieldValidation::Strict => {
                let kind = &self.kind.kind;
                return Err(Refusal::bad_request(format!(
                    "{kind} in version \"{}\" cannot be handled as a {kind}: strict decoding error: {}",
                    self.kind.version,
                    found.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Stores a new object; with `applied`, it brings its own managedFields.
    async fn store_new(
        &mut self,
        core: &Core,
        mut object: Value,
        applied: Option<()>,
    ) -> Result<Stored, Refusal> {
        let kind = self.kind;
        core.check_namespace(kind, &self.key)?;
        if kind.has_status {
            object::map_mut(&mut object).shift_remove("status");
        }
        let meta = meta_mut(&mut object);
        for field in
            ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"]
        {
            meta.shift_remove(field);
        }
        meta.insert("name".to_owned(), json!(self.key.name));
        if kind.is_namespaced {
            meta.insert("namespace".to_owned(), json!(self.key.namespace));
        }
        let uid = uuid::Uuid::new_v4().to_string();
        meta.insert("uid".to_owned(), json!(uid));
        meta.insert("creationTimestamp".to_owned(), json!(object::now()));
        if kind.has_generation {
            meta.insert("generation".to_owned(), json!(1));
        }
        self.check(&mut object, None)?;
        crate::builtin::label_new(kind, &mut object);
        if applied.is_none() {
            let mut before = apply::blank(&object);
            if !kind.is_custom && kind.schema.properties.contains_key("spec") {
                // Built-in kinds always have a spec, so that nobody owns it as such.
                object::map_mut(&mut before).insert("spec".to_owned(), json!({}));
            }
            managed::track(kind, &before, &mut object, &self.manager);
        }
        crate::builtin::complete_new(kind, &mut object);
        let write = self.write(Expect::Absent, Action::Put, &object, None)?;
        self.submit(core, write, &object).await
    }

    /// Changes an object; tries again when somebody else wrote first and the client named no
    /// version.
    pub(crate) async fn update(
        &mut self,
        core: &Core,
        make: &mut (dyn FnMut(&Value) -> Result<Value, Refusal> + Send),
    ) -> Result<Stored, Refusal> {
        let mut last = Refusal::stale(self.kind, &self.key.name);
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let stored = core.store.get(&self.key).map_err(Refusal::internal)?;
            let stored = stored.ok_or_else(|| Refusal::not_found(self.kind, &self.key.name))?;
            let live = self.present(&stored.json)?;
            let candidate = make(&live)?;
            check_identity(&self.key, &candidate)?;
            let named = meta(&candidate, "resourceVersion").to_owned();
            let is_pinned =
                !named.is_empty() && named != "0" && named != meta(&live, "resourceVersion");
            if is_pinned {
                return Err(Refusal::stale(self.kind, &self.key.name));
            }
            let next = self.next(&live, candidate)?;
            if next == live {
                return Ok(stored);
            }
            let action = if must_go(&next) { Action::Delete } else { Action::Put };
            let write =
                self.write(Expect::Revision(stored.revision), action, &next, Some(&live))?;
            match self.submit(core, write, &next).await {
                Err(refusal) if refusal.reason == "Conflict" => last = refusal,
                result => return result,
            }
        }
        Err(last)
    }

    /// The state after a change of `live` to `candidate`.
    fn next(&mut self, live: &Value, mut candidate: Value) -> Result<Value, Refusal> {
        let kind = self.kind;
        check_type(kind, &candidate)?;
        check_identity(&self.key, &candidate)?;
        let uid = meta(&candidate, "uid");
        if !uid.is_empty() && uid != meta(live, "uid") {
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                meta(live, "uid")
            );
            return Err(Refusal::conflict(kind, &self.key.name, &why));
        }
        let applied = (self.manager.operation == Operation::Apply)
            .then(|| candidate.get("metadata").and_then(|meta| meta.get("managedFields")).cloned());
        let mut next = match self.subresource.as_str() {
            "status" => {
                let mut next = live.clone();
                move_field("status", &mut candidate, &mut next);
                next
            }
            _ => {
                if kind.has_status {
                    let mut live = live.clone();
                    move_field("status", &mut live, &mut candidate);
                }
                keep_metadata(live, &mut candidate);
                candidate
            }
        };
        self.check(&mut next, Some(live))?;
        if kind.has_generation && differs_in_spec(kind, live, &next) {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            meta_mut(&mut next).insert("generation".to_owned(), json!(generation));
        }
        match applied {
            Some(fields) => match fields {
                Some(fields) => {
                    meta_mut(&mut next).insert("managedFields".to_owned(), fields);
                }
                None => {
                    meta_mut(&mut next).shift_remove("managedFields");
                }
            },
            None => managed::track(kind, live, &mut next, &self.manager),
        }
        Ok(next)
    }

    /// Prunes, defaults and validates.
    fn check(&mut self, object: &mut Value, live: Option<&Value>) -> Result<(), Refusal> {
        let kind = self.kind;
        crate::builtin::normalise(kind, object);
        let mut unknown = Vec::new();
        kind.schema.prune(object, "", &mut unknown);
        self.report(&unknown, &[])?;
        kind.schema.fill(object);
        let mut causes = crate::builtin::check_metadata(kind, object, live);
        kind.schema.validate(object, "", &mut causes);
        match &kind.rules {
            Some(_) if causes.iter().any(crate::cel::is_blocking) => {
                causes.push(crate::cel::unchecked());
            }
            Some(rules) => rules.check(object, live, &mut causes),
            None => {}
        }
        let Some(first) = causes.first() else { return Ok(()) };
        if !kind.is_custom && live.is_none() && first.message.contains("must be of type") {
            // Kubernetes fails to decode such a body before it could validate it.
            return Err(Refusal::bad_request(format!(
                "{0} in version \"{1}\" cannot be handled as a {0}: {2}: {3}",
                kind.kind, kind.version, first.field, first.message
            )));
        }
        Err(Refusal::invalid(kind, &self.key.name, &causes))
    }

    fn write(
        &self,
        expect: Expect,
        action: Action,
        object: &Value,
        live: Option<&Value>,
    ) -> Result<Write, Refusal> {
        let stored_form = events::to_stored(self.kind, object);
        let draft = object::draft(stored_form.as_ref().unwrap_or(object))?;
        if draft.json.len() > limits::OBJECT_BYTES_MAX {
            return Err(Refusal::too_large(limits::OBJECT_BYTES_MAX));
        }
        let before = live.map(object::owner_uids).unwrap_or_default();
        let after = if action == Action::Put { object::owner_uids(object) } else { Vec::new() };
        Ok(Write {
            key: self.key.clone(),
            expect,
            action,
            draft,
            uid: meta(object, "uid").to_owned(),
            owners_added: after.iter().filter(|uid| !before.contains(uid)).cloned().collect(),
            owners_removed: before.iter().filter(|uid| !after.contains(uid)).cloned().collect(),
        })
    }

    async fn submit(&self, core: &Core, write: Write, object: &Value) -> Result<Stored, Refusal> {
        if self.is_dry_run {
            return Ok(Stored { revision: 0, json: object.to_string().into() });
        }
        let has_new_owners = !write.owners_added.is_empty();
        let stored = core.store.write(write).await;
        let stored = stored.map_err(|error| refuse(self.kind, &self.key.name, error))?;
        if has_new_owners {
            core.check_owners(&self.key.namespace, object);
        }
        Ok(stored)
    }

    /// Marks for removal or removes, for `remove`.
    pub(crate) async fn store_going(
        &self,
        core: &Core,
        stored: &Stored,
        live: &Value,
        next: &Value,
        action: Action,
    ) -> Result<Stored, Refusal> {
        let write = self.write(Expect::Revision(stored.revision), action, next, Some(live))?;
        self.submit(core, write, next).await
    }

    /// The stored object as this kind shows it.
    pub(crate) fn present(&self, json: &[u8]) -> Result<Value, Refusal> {
        let object = object::parse(json)?;
        Ok(match self.kind.view {
            View::Stored => object,
            _ => events::present(self.kind, object),
        })
    }

    /// The answer that shows the written object.
    pub(crate) fn answer(
        &self,
        asked: &Asked,
        code: StatusCode,
        stored: &Stored,
    ) -> Result<Reply, Refusal> {
        let json = if self.is_dry_run {
            stored.json.clone()
        } else {
            events::bytes(self.kind, &stored.json)?
        };
        let mut reply = reply::bytes(code, table::one(asked, self.kind, &json)?);
        reply::warn(&mut reply, &self.warnings);
        Ok(reply)
    }

    /// True if nothing is to be stored.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.is_dry_run
    }

    /// Makes this a dry run.
    pub(crate) fn set_dry_run(&mut self) {
        self.is_dry_run = true;
    }
}

fn move_field(name: &str, from: &mut Value, to: &mut Value) {
    let value = from.as_object_mut().and_then(|fields| fields.shift_remove(name));
    let fields = object::map_mut(to);
    match value {
        Some(value) => {
            fields.insert(name.to_owned(), value);
        }
        None => {
            fields.shift_remove(name);
        }
    }
}

/// Restores what only the server writes.
fn keep_metadata(live: &Value, next: &mut Value) {
    let meta = meta_mut(next);
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "managedFields",
    ] {
        match live.get("metadata").and_then(|meta| meta.get(field)) {
            Some(value) => {
                meta.insert(field.to_owned(), value.clone());
            }
            None => {
                meta.shift_remove(field);
            }
        }
    }
    meta.shift_remove("selfLink");
}

fn differs_in_spec(kind: &Kind, before: &Value, after: &Value) -> bool {
    let relevant = |object: &Value| {
        let fields = object.as_object().into_iter().flatten();
        fields
            .filter(|(name, _)| *name != "metadata" && !(kind.has_status && *name == "status"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<String, Value>>()
    };
    relevant(before) != relevant(after)
}

/// True if somebody asked for the object to go and nobody holds it any longer.
fn must_go(object: &Value) -> bool {
    let held = object.get("spec").and_then(|spec| spec.get("finalizers")).and_then(Value::as_array);
    object::is_going(object)
        && object::finalizers(object).is_empty()
        && held.is_none_or(|held| held.is_empty() || object["kind"] != "Namespace")
}
