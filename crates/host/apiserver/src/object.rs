//! Reading and serialising the parts that every Kubernetes object has.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::status::Refusal;
use crate::store::Draft;

/// `metadata.FIELD` as text; empty if missing or not text.
pub(crate) fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get("metadata").and_then(|meta| meta.get(field)).and_then(Value::as_str).unwrap_or("")
}

/// The metadata map, made if missing.
pub(crate) fn meta_mut(object: &mut Value) -> &mut Map<String, Value> {
    let fields = map_mut(object);
    map_mut(fields.entry("metadata").or_insert_with(|| Value::Object(Map::new())))
}

/// `value` as a map, replaced by an empty one if it is something else.
pub(crate) fn map_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("made a map just above"),
    }
}

/// `metadata.finalizers`.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    texts(object, "finalizers").collect()
}

fn texts<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    let list = object.get("metadata").and_then(|meta| meta.get(field)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Uids in `metadata.ownerReferences`.
pub(crate) fn owner_uids(object: &Value) -> Vec<String> {
    owner_references(object)
        .iter()
        .filter_map(|owner| owner.get("uid")?.as_str().map(str::to_owned))
        .collect()
}

/// `metadata.ownerReferences`.
pub(crate) fn owner_references(object: &Value) -> &[Value] {
    let owners = object.get("metadata").and_then(|meta| meta.get("ownerReferences"));
    owners.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// True if somebody asked for the object to go away.
pub(crate) fn is_going(object: &Value) -> bool {
    !meta(object, "deletionTimestamp").is_empty()
}

/// Parses what the store holds.
pub(crate) fn parse(json: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(json)
        .map_err(|error| Refusal::internal(format!("stored object: {error}")))
}

/// Serialises with a gap where the writer puts the version.
pub(crate) fn draft(object: &Value) -> Result<Draft, Refusal> {
    const GAP: &str = "\"metadata\":{\"resourceVersion\":\"\"";
    let mut json = Vec::with_capacity(1024);
    json.push(b'{');
    for field in ["apiVersion", "kind"] {
        if let Some(value) = object.get(field) {
            push(&mut json, field, value)?;
            json.push(b',');
        }
    }
    json.extend_from_slice(GAP.as_bytes());
    // Before the closing quote of the version.
    let revision_at = json.len() - 1;
    if let Some(fields) = object.get("metadata").and_then(Value::as_object) {
        for (name, value) in fields.iter().filter(|(name, _)| *name != "resourceVersion") {
            json.push(b',');
            push(&mut json, name, value)?;
        }
    }
    json.push(b'}');
    if let Some(fields) = object.as_object() {
        for (name, value) in fields {
            if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                json.push(b',');
                push(&mut json, name, value)?;
            }
        }
    }
    json.push(b'}');
    Ok(Draft { json, revision_at })
}

fn push(json: &mut Vec<u8>, name: &str, value: &Value) -> Result<(), Refusal> {
    let text = serde_json::to_string(name).map_err(Refusal::internal)?;
    json.extend_from_slice(text.as_bytes());
    json.push(b':');
    serde_json::to_writer(json, value).map_err(Refusal::internal)
}

/// Labels read without building the whole object.
#[derive(Deserialize, Default)]
pub(crate) struct Labels(pub(crate) std::collections::HashMap<String, String>);

/// Reads the labels of a serialised object.
pub(crate) fn labels(json: &[u8]) -> Labels {
    #[derive(Deserialize)]
    struct Object {
        #[serde(default)]
        metadata: Metadata,
    }
    #[derive(Deserialize, Default)]
    struct Metadata {
        #[serde(default)]
        labels: Option<Labels>,
    }
    serde_json::from_slice::<Object>(json)
        .ok()
        .and_then(|object| object.metadata.labels)
        .unwrap_or_default()
}

/// Now, as Kubernetes writes it: UTC, whole seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
