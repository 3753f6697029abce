//! JSON patches, merge patches, and the strategic merge patches that `kubectl` sends for built-in
//! kinds. Server-side apply is in `apply`.

use serde_json::{Map, Value};

use crate::kind::Kind;
use crate::limits;
use crate::schema::{ListType, Schema};
use crate::status::Refusal;

/// How a patch is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PatchType {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchType {
    /// Reads the content type of a patch.
    pub(crate) fn of(content_type: &str, is_custom: bool) -> Result<Self, Refusal> {
        match content_type {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            "application/strategic-merge-patch+json" if !is_custom => Ok(Self::Strategic),
            _ => Err(Refusal::unsupported_media(if is_custom {
                "application/json-patch+json, application/merge-patch+json, \
                 application/apply-patch+yaml"
            } else {
                "application/json-patch+json, application/merge-patch+json, \
                 application/strategic-merge-patch+json, application/apply-patch+yaml"
            })),
        }
    }
}

/// `live` with the patch applied.
pub(crate) fn patch(
    kind: &Kind,
    patch_type: PatchType,
    live: &Value,
    document: &Value,
) -> Result<Value, Refusal> {
    let mut object = live.clone();
    match patch_type {
        PatchType::Json => json(&mut object, document)?,
        PatchType::Strategic => strategic(Some(&kind.schema), &mut object, document),
        PatchType::Merge | PatchType::Apply => {
            if !document.is_object() {
                return Err(Refusal::bad_request("a merge patch must be an object"));
            }
            json_patch::merge(&mut object, document);
        }
    }
    Ok(object)
}

fn json(object: &mut Value, document: &Value) -> Result<(), Refusal> {
    let count = document.as_array().map_or(0, Vec::len);
    if count > limits::PATCH_OPERATIONS_MAX {
        let bound = limits::PATCH_OPERATIONS_MAX;
        let message =
            format!("The allowed maximum operations in a JSON patch is {bound}, got {count}");
        return Err(Refusal::new(413, "RequestEntityTooLarge", message));
    }
    let operations: json_patch::Patch = serde_json::from_value(document.clone())
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    let needed = operations.0.iter().filter(|operation| !tests_for_absence(operation, object));
    let needed: Vec<_> = needed.cloned().collect();
    json_patch::patch(object, &needed).map_err(|error| {
        let message = "the server rejected our request due to an error in our request";
        Refusal::new(422, "Invalid", format!("{message}: {error}"))
    })
}

/// Whether an operation tests that there is nothing where there is nothing. Kubernetes takes an
/// absent field for null there, and clients rely on it to add the first finalizer.
fn tests_for_absence(operation: &json_patch::PatchOperation, object: &Value) -> bool {
    match operation {
        json_patch::PatchOperation::Test(test) => {
            test.value.is_null() && object.pointer(test.path.as_str()).is_none()
        }
        _ => false,
    }
}

/// Merges by the list types of the schema, which stand in for Kubernetes' patch strategies.
fn strategic(schema: Option<&Schema>, target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").and_then(Value::as_str) == Some("replace") {
        let fields = changes.iter().filter(|(name, _)| *name != "$patch");
        *target =
            fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into();
        return;
    }
    let fields = crate::object::map_mut(target);
    for (name, change) in changes {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            remove_items(fields.get_mut(list), change);
        } else if name == "$retainKeys" {
            let kept: Vec<&str> =
                change.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            fields.retain(|name, _| kept.contains(&name.as_str()));
        } else if name.starts_with('$') {
            // Orders of list items are hints; items stay where they are.
        } else if change.is_null() {
            fields.shift_remove(name);
        } else {
            let below = schema.and_then(|schema| schema.field(name));
            let field = fields.entry(name.clone()).or_insert(Value::Null);
            match (change, below) {
                (Value::Array(items), Some(schema)) if schema.list_type != ListType::Atomic => {
                    strategic_list(schema, field, items);
                }
                _ => strategic(below, field, change),
            }
        }
    }
}

fn remove_items(list: Option<&mut Value>, removed: &Value) {
    let removed = removed.as_array().map_or(&[][..], Vec::as_slice);
    if let Some(items) = list.and_then(Value::as_array_mut) {
        items.retain(|item| !removed.contains(item));
    }
}

fn strategic_list(schema: &Schema, target: &mut Value, changes: &[Value]) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Value::Array(items) = target else { return };
    for change in changes {
        let ListType::Map(keys) = &schema.list_type else {
            if !items.contains(change) {
                items.push(change.clone());
            }
            continue;
        };
        let at =
            items.iter().position(|item| keys.iter().all(|key| item.get(key) == change.get(key)));
        let directive = change.get("$patch").and_then(Value::as_str);
        match (at, directive) {
            (Some(at), Some("delete")) => {
                items.remove(at);
            }
            (None, Some("delete")) => {}
            (Some(at), _) => {
                if let Some(item) = items.get_mut(at) {
                    strategic(schema.items.as_deref(), item, change);
                }
            }
            (None, _) => items.push(change.clone()),
        }
    }
}
