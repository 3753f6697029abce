//! Built-in kinds out of the protobuf that `kubectl create namespace`, `create configmap`,
//! `create secret` and `auth can-i` send without asking. Reads only; answers are JSON, which the
//! same clients take.
//!
//! # Source
//! `k8s.io/apimachinery/pkg/runtime/generated.proto` (Unknown), `pkg/apis/meta/v1/generated.proto`,
//! and `generated.proto` of `k8s.io/api` core/v1, coordination/v1 and authorization/v1, all 0.36.

use base64::Engine as _;
use serde_json::{Map, Value, json};

use crate::limits;

/// What a field holds.
enum Holds {
    Text,
    Flag,
    Number,
    /// Whole seconds.
    Time,
    /// Microseconds.
    MicroTime,
    TextMap,
    BytesMap,
    Message(&'static [Field]),
}

/// Number, name, and what it holds; with `true`, any number of them.
type Field = (u64, &'static str, Holds, bool);

const OWNER: &[Field] = &[
    (1, "kind", Holds::Text, false),
    (3, "name", Holds::Text, false),
    (4, "uid", Holds::Text, false),
    (5, "apiVersion", Holds::Text, false),
    (6, "controller", Holds::Flag, false),
    (7, "blockOwnerDeletion", Holds::Flag, false),
];

const METADATA: Field = (
    1,
    "metadata",
    Holds::Message(&[
        (1, "name", Holds::Text, false),
        (2, "generateName", Holds::Text, false),
        (3, "namespace", Holds::Text, false),
        (5, "uid", Holds::Text, false),
        (6, "resourceVersion", Holds::Text, false),
        (11, "labels", Holds::TextMap, false),
        (12, "annotations", Holds::TextMap, false),
        (13, "ownerReferences", Holds::Message(OWNER), true),
        (14, "finalizers", Holds::Text, true),
    ]),
    false,
);

const NAMESPACE: &[Field] = &[METADATA];

const CONFIG_MAP: &[Field] = &[
    METADATA,
    (2, "data", Holds::TextMap, false),
    (3, "binaryData", Holds::BytesMap, false),
    (4, "immutable", Holds::Flag, false),
];

const SECRET: &[Field] = &[
    METADATA,
    (2, "data", Holds::BytesMap, false),
    (3, "type", Holds::Text, false),
    (4, "stringData", Holds::TextMap, false),
    (5, "immutable", Holds::Flag, false),
];

const LEASE: &[Field] = &[
    METADATA,
    (
        2,
        "spec",
        Holds::Message(&[
            (1, "holderIdentity", Holds::Text, false),
            (2, "leaseDurationSeconds", Holds::Number, false),
            (3, "acquireTime", Holds::MicroTime, false),
            (4, "renewTime", Holds::MicroTime, false),
            (5, "leaseTransitions", Holds::Number, false),
            (6, "strategy", Holds::Text, false),
            (7, "preferredHolder", Holds::Text, false),
        ]),
        false,
    ),
];

const REFERENCE: &[Field] = &[
    (1, "kind", Holds::Text, false),
    (2, "namespace", Holds::Text, false),
    (3, "name", Holds::Text, false),
    (4, "uid", Holds::Text, false),
    (5, "apiVersion", Holds::Text, false),
    (6, "resourceVersion", Holds::Text, false),
    (7, "fieldPath", Holds::Text, false),
];

const EVENT: &[Field] = &[
    METADATA,
    (2, "involvedObject", Holds::Message(REFERENCE), false),
    (3, "reason", Holds::Text, false),
    (4, "message", Holds::Text, false),
    (
        5,
        "source",
        Holds::Message(&[(1, "component", Holds::Text, false), (2, "host", Holds::Text, false)]),
        false,
    ),
    (6, "firstTimestamp", Holds::Time, false),
    (7, "lastTimestamp", Holds::Time, false),
    (8, "count", Holds::Number, false),
    (9, "type", Holds::Text, false),
    (10, "eventTime", Holds::MicroTime, false),
    (12, "action", Holds::Text, false),
    (13, "related", Holds::Message(REFERENCE), false),
    (14, "reportingComponent", Holds::Text, false),
    (15, "reportingInstance", Holds::Text, false),
];

const REVIEW: &[Field] = &[(
    2,
    "spec",
    Holds::Message(&[
        (
            1,
            "resourceAttributes",
            Holds::Message(&[
                (1, "namespace", Holds::Text, false),
                (2, "verb", Holds::Text, false),
                (3, "group", Holds::Text, false),
                (4, "version", Holds::Text, false),
                (5, "resource", Holds::Text, false),
                (6, "subresource", Holds::Text, false),
                (7, "name", Holds::Text, false),
            ]),
            false,
        ),
        (
            2,
            "nonResourceAttributes",
            Holds::Message(&[(1, "path", Holds::Text, false), (2, "verb", Holds::Text, false)]),
            false,
        ),
    ]),
    false,
)];

/// Decodes a body of the given kind; `None` if it is malformed, or a kind that is not known here.
pub(crate) fn decode(kind: &str, body: &[u8]) -> Option<Value> {
    let fields = match kind {
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "Lease" => LEASE,
        "Event" => EVENT,
        "SelfSubjectAccessReview" => REVIEW,
        _ => return None,
    };
    let unknown = body.strip_prefix(b"k8s\0")?;
    let envelope = read(
        unknown,
        &[(
            1,
            "type",
            Holds::Message(&[
                (1, "apiVersion", Holds::Text, false),
                (2, "kind", Holds::Text, false),
            ]),
            false,
        )],
        0,
    )?;
    let raw = parts(unknown)?.into_iter().find_map(|(number, part)| match part {
        Part::Bytes(bytes) if number == 2 => Some(bytes),
        _ => None,
    })?;
    let mut object = envelope.get("type").cloned().unwrap_or_else(|| json!({}));
    let Value::Object(read) = read(raw, fields, 0)? else { return None };
    object.as_object_mut()?.extend(read);
    Some(object)
}

enum Part<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn read(message: &[u8], fields: &[Field], depth: usize) -> Option<Value> {
    if depth > limits::DEPTH_MAX {
        return None;
    }
    let mut object = Map::new();
    for (number, part) in parts(message)? {
        let field = fields.iter().find(|(known, ..)| *known == number);
        let Some((_, name, holds, is_list)) = field else { continue };
        let value = match (holds, part) {
            (Holds::Flag, Part::Number(number)) => json!(number != 0),
            // A negative number is sign-extended to 64 bits.
            (Holds::Number, Part::Number(number)) => json!(number.cast_signed()),
            (Holds::Text, Part::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes).ok()?;
                if text.is_empty() && !is_list {
                    continue;
                }
                json!(text)
            }
            (Holds::Time | Holds::MicroTime, Part::Bytes(bytes)) => {
                match time(bytes, matches!(holds, Holds::MicroTime))? {
                    Some(time) => json!(time),
                    None => continue,
                }
            }
            (Holds::TextMap | Holds::BytesMap, Part::Bytes(bytes)) => {
                let (key, value) = entry(bytes, matches!(holds, Holds::BytesMap))?;
                let map = object.entry(*name).or_insert_with(|| json!({}));
                map.as_object_mut()?.insert(key, value);
                continue;
            }
            (Holds::Message(fields), Part::Bytes(bytes)) => read(bytes, fields, depth + 1)?,
            _ => return None,
        };
        if *is_list {
            object.entry(*name).or_insert_with(|| json!([])).as_array_mut()?.push(value);
        } else {
            object.insert((*name).to_owned(), value);
        }
    }
    Some(Value::Object(object))
}

fn entry(message: &[u8], is_bytes: bool) -> Option<(String, Value)> {
    let (mut key, mut value) = (String::new(), json!(""));
    for (number, part) in parts(message)? {
        let Part::Bytes(bytes) = part else { return None };
        match number {
            1 => key = std::str::from_utf8(bytes).ok()?.to_owned(),
            2 if is_bytes => {
                value = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
            }
            2 => value = json!(std::str::from_utf8(bytes).ok()?),
            _ => {}
        }
    }
    Some((key, value))
}

/// A timestamp; the inner `None` for the zero time, which means that there is none.
fn time(message: &[u8], is_micro: bool) -> Option<Option<String>> {
    let (mut seconds, mut nanos) = (0, 0);
    for (number, part) in parts(message)? {
        match (number, part) {
            (1, Part::Number(number)) => seconds = number.cast_signed(),
            (2, Part::Number(number)) => nanos = i32::try_from(number.cast_signed()).ok()?,
            _ => {}
        }
    }
    let time = jiff::Timestamp::new(seconds, nanos).ok()?;
    if seconds <= 0 {
        return Some(None);
    }
    let format = if is_micro { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Some(Some(time.strftime(format).to_string()))
}

/// The fields of a message, in order.
fn parts(mut message: &[u8]) -> Option<Vec<(u64, Part<'_>)>> {
    let mut parts = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => parts.push((key >> 3, Part::Number(varint(&mut message)?))),
            1 => message = message.split_at_checked(8)?.1,
            2 => {
                let bytes = usize::try_from(varint(&mut message)?).ok()?;
                let (value, rest) = message.split_at_checked(bytes)?;
                parts.push((key >> 3, Part::Bytes(value)));
                message = rest;
            }
            5 => message = message.split_at_checked(4)?.1,
            _ => return None,
        }
    }
    Some(parts)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    //! One message, whole and broken at every byte.

    use serde_json::json;

    use super::decode;

    /// `ConfigMap{metadata: {name: "c"}, data: {"a": "b"}}` in its envelope.
    const BODY: &[u8] = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0d\x0a\x03\x0a\x01c\x12\x06\x0a\x01a\x12\x01b";

    #[test]
    fn a_config_map_is_read_and_a_broken_one_refused() {
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"},
        });
        assert_eq!(decode("ConfigMap", BODY), Some(expected.clone()));
        for at in 0..BODY.len() {
            assert_ne!(
                decode("ConfigMap", BODY.split_at(at).0),
                Some(expected.clone()),
                "cut at {at}"
            );
            for bit in 0..8 {
                let mut broken = BODY.to_vec();
                broken[at] ^= 1 << bit;
                // Must not panic; what comes out is checked like any body.
                let _ = decode("ConfigMap", &broken);
            }
        }
        println!("\ncases: {}\n", BODY.len() * 9 + 1);
    }
}
