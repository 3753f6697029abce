//! One store of Events, seen as core `v1` and as `events.k8s.io/v1`; and other versions of a custom
//! resource, which differ in nothing but `apiVersion`.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::kind::{Kind, View};
use crate::object;
use crate::status::Refusal;

/// Field of a core Event, and its name in `events.k8s.io/v1`.
///
/// # Source
/// `k8s.io/api/events/v1` and `k8s.io/kubernetes/pkg/apis/events/v1/conversion.go`, 1.36.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// A stored object as `kind` shows it.
pub(crate) fn present(kind: &Kind, mut object: Value) -> Value {
    let fields = object::map_mut(&mut object);
    match kind.view {
        View::Stored => return object,
        View::Renamed => {}
        View::NewEvent => {
            for (core, new) in NAMES {
                if let Some(value) = fields.shift_remove(core) {
                    fields.insert(new.to_owned(), value);
                }
            }
        }
    }
    fields.insert("apiVersion".to_owned(), json!(kind.api_version()));
    object
}

/// A stored object's bytes as `kind` shows them.
pub(crate) fn bytes(kind: &Kind, json: &Bytes) -> Result<Bytes, Refusal> {
    if kind.view == View::Stored {
        return Ok(json.clone());
    }
    Ok(present(kind, object::parse(json)?).to_string().into())
}

/// An object that `kind` showed, as it is stored; `None` if that is the same.
pub(crate) fn to_stored(kind: &Kind, object: &Value) -> Option<Value> {
    if kind.view == View::Stored {
        return None;
    }
    let mut object = object.clone();
    let fields = object::map_mut(&mut object);
    if kind.view == View::NewEvent {
        for (core, new) in NAMES {
            if let Some(value) = fields.shift_remove(new) {
                fields.insert(core.to_owned(), value);
            }
        }
    }
    fields.insert("apiVersion".to_owned(), json!(kind.stored_api_version));
    Some(object)
}
