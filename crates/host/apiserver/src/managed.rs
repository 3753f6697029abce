//! `metadata.managedFields`: who wrote which field, for applies and for all other writes.

use serde_json::{Map, Value, json};

use crate::fields::{Difference, FieldSet};
use crate::kind::Kind;
use crate::limits;
use crate::object;

/// Fields of `metadata` that the server owns.
const SERVER_FIELDS: [&str; 11] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
];

/// How a manager writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// By server-side apply: what it leaves out is removed.
    Apply,
    /// By any other write.
    Update,
}

/// Who writes, and through what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    /// Empty for the main resource.
    pub(crate) subresource: String,
}

/// One entry of managedFields.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) manager: Manager,
    pub(crate) fields: FieldSet,
    time: String,
}

/// All managers of one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Managers(pub(crate) Vec<Entry>);

impl Managers {
    /// Reads the managers of an object; entries that are malformed are left out.
    pub(crate) fn of(object: &Value) -> Self {
        let entries = object.get("metadata").and_then(|meta| meta.get("managedFields"));
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        Self(entries.filter_map(decode).collect())
    }

    /// Writes the managers into an object.
    pub(crate) fn write_to(&self, object: &mut Value) {
        let entries: Vec<Value> = self.0.iter().map(encode).collect();
        let meta = object::meta_mut(object);
        if entries.is_empty() {
            meta.shift_remove("managedFields");
        } else {
            meta.insert("managedFields".to_owned(), Value::Array(entries));
        }
    }

    /// Sets what a manager owns; the time changes only with the fields.
    pub(crate) fn set(&mut self, manager: &Manager, fields: FieldSet) {
        let at = self.0.iter().position(|entry| entry.manager == *manager);
        match at.and_then(|at| self.0.get_mut(at)) {
            Some(entry) if entry.fields == fields => {}
            Some(entry) => {
                entry.fields = fields;
                entry.time = object::now();
            }
            None => self.0.push(Entry { manager: manager.clone(), fields, time: object::now() }),
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// What a manager owns.
    pub(crate) fn get(&self, manager: &Manager) -> FieldSet {
        let entry = self.0.iter().find(|entry| entry.manager == *manager);
        entry.map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    /// Takes `fields` from all managers but one.
    pub(crate) fn take_from_others(&mut self, manager: &Manager, fields: &FieldSet) {
        for entry in self.0.iter_mut().filter(|entry| entry.manager != *manager) {
            entry.fields.subtract(fields);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Joins the oldest update managers once there are too many.
    fn join_ancient(&mut self) {
        let is_update = |entry: &&Entry| entry.manager.operation == Operation::Update;
        while self.0.iter().filter(is_update).count() > limits::UPDATE_MANAGERS_MAX {
            let oldest = self.0.iter().enumerate().filter(|(_, entry)| is_update(entry));
            let oldest = oldest.filter(|(_, entry)| entry.manager.name != "ancient-changes");
            let Some(at) = oldest.min_by(|a, b| a.1.time.cmp(&b.1.time)).map(|(at, _)| at) else {
                return;
            };
            let entry = self.0.remove(at);
            let ancient = Manager { name: "ancient-changes".to_owned(), ..entry.manager };
            let mut fields = self.get(&ancient);
            fields.add(&entry.fields);
            self.set(&ancient, fields);
        }
    }
}

/// Records that `manager` turned `before` into `after` by a write that is no apply.
pub(crate) fn track(kind: &Kind, before: &Value, after: &mut Value, manager: &Manager) {
    let mut difference = Difference::of(&kind.schema, before, after);
    strip(kind, &mut difference.written, &manager.subresource);
    strip(kind, &mut difference.removed, &manager.subresource);
    let mut managers = Managers::of(before);
    let mut taken = difference.written.clone();
    taken.add(&difference.removed);
    managers.take_from_others(manager, &taken);
    let mut fields = managers.get(manager);
    fields.subtract(&difference.removed);
    fields.add(&difference.written);
    managers.set(manager, fields);
    managers.join_ancient();
    managers.write_to(after);
}

/// Leaves out what nobody can own: the server's own fields, and what this path cannot write.
pub(crate) fn strip(kind: &Kind, fields: &mut FieldSet, subresource: &str) {
    fields.remove_field(&["apiVersion"]);
    fields.remove_field(&["kind"]);
    for name in SERVER_FIELDS {
        fields.remove_field(&["metadata", name]);
    }
    fields.open_field("metadata");
    match subresource {
        "status" => fields.keep_field("status"),
        "" if kind.has_status => fields.remove_field(&["status"]),
        _ => {}
    }
}

fn decode(entry: &Value) -> Option<Entry> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
    let operation = match text("operation").as_str() {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let manager = Manager {
        name: text("manager"),
        operation,
        api_version: text("apiVersion"),
        subresource: text("subresource"),
    };
    Some(Entry { manager, fields: FieldSet::decode(entry.get("fieldsV1")?), time: text("time") })
}

fn encode(entry: &Entry) -> Value {
    let operation = match entry.manager.operation {
        Operation::Apply => "Apply",
        Operation::Update => "Update",
    };
    let mut fields = Map::new();
    fields.insert("manager".to_owned(), json!(entry.manager.name));
    fields.insert("operation".to_owned(), json!(operation));
    fields.insert("apiVersion".to_owned(), json!(entry.manager.api_version));
    fields.insert("time".to_owned(), json!(entry.time));
    fields.insert("fieldsType".to_owned(), json!("FieldsV1"));
    fields.insert("fieldsV1".to_owned(), entry.fields.encode());
    if !entry.manager.subresource.is_empty() {
        fields.insert("subresource".to_owned(), json!(entry.manager.subresource));
    }
    Value::Object(fields)
}
