//! The built-in kinds, as schemas in the same form as custom ones, so that pruning, validation,
//! server-side apply and OpenAPI work on them alike.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::columns::{Column, FieldPath};
use crate::kind::{Kind, Verbs, View, api_version};
use crate::schema::Schema;

/// Schema of `metadata`.
///
/// # Source
/// `k8s.io/apimachinery/pkg/apis/meta/v1`, `ObjectMeta`, 0.36; list types of its OpenAPI.
pub(crate) fn metadata_schema() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let time = json!({"type": "string", "format": "date-time", "nullable": true});
    json!({"type": "object", "properties": {
        "name": text, "generateName": text, "namespace": text, "selfLink": text, "uid": text,
        "resourceVersion": text, "generation": {"type": "integer", "format": "int64"},
        "creationTimestamp": time, "deletionTimestamp": time,
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
        "labels": texts, "annotations": texts,
        "ownerReferences": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
            "items": {
                "type": "object", "required": ["apiVersion", "kind", "name", "uid"],
                "x-kubernetes-map-type": "atomic",
                "properties": {
                    "apiVersion": text, "kind": text, "name": text, "uid": text,
                    "controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"},
                },
            },
        },
        "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
        "managedFields": {
            "type": "array", "x-kubernetes-list-type": "atomic",
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    }})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time", "nullable": true})
}

fn micro_time() -> Value {
    json!({"type": "string", "format": "micro-time", "nullable": true})
}

fn texts(bytes: bool) -> Value {
    let item = if bytes { json!({"type": "string", "format": "byte"}) } else { text() };
    json!({"type": "object", "additionalProperties": item})
}

fn object_reference() -> Value {
    json!({"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
        "kind": text(), "namespace": text(), "name": text(), "uid": text(), "apiVersion": text(),
        "resourceVersion": text(), "fieldPath": text(),
    }})
}

fn event_source() -> Value {
    json!({"type": "object", "properties": {"component": text(), "host": text()}})
}

fn event_series() -> Value {
    json!({"type": "object", "nullable": true, "properties": {
        "count": {"type": "integer", "format": "int32"}, "lastObservedTime": micro_time(),
    }})
}

fn core_event() -> Value {
    json!({
        "involvedObject": object_reference(), "reason": text(), "message": text(),
        "source": event_source(), "firstTimestamp": time(), "lastTimestamp": time(),
        "count": {"type": "integer", "format": "int32"}, "type": text(), "eventTime": micro_time(),
        "series": event_series(), "action": text(), "related": object_reference(),
        "reportingComponent": text(), "reportingInstance": text(),
    })
}

fn new_event() -> Value {
    json!({
        "regarding": object_reference(), "reason": text(), "note": text(), "type": text(),
        "deprecatedSource": event_source(), "deprecatedFirstTimestamp": time(),
        "deprecatedLastTimestamp": time(),
        "deprecatedCount": {"type": "integer", "format": "int32"}, "eventTime": micro_time(),
        "series": event_series(), "action": text(), "related": object_reference(),
        "reportingController": text(), "reportingInstance": text(),
    })
}

fn namespace() -> Value {
    json!({
        "spec": {"type": "object", "properties": {
            "finalizers": {"type": "array", "x-kubernetes-list-type": "atomic", "items": text()},
        }},
        "status": {"type": "object", "properties": {
            "phase": text(),
            "conditions": {
                "type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "required": ["type", "status"], "properties": {
                    "type": text(), "status": text(), "reason": text(), "message": text(),
                    "lastTransitionTime": time(),
                }},
            },
        }},
    })
}

fn lease() -> Value {
    json!({"spec": {"type": "object", "properties": {
        "holderIdentity": text(), "acquireTime": micro_time(), "renewTime": micro_time(),
        "leaseDurationSeconds": {"type": "integer", "format": "int32", "minimum": 1},
        "leaseTransitions": {"type": "integer", "format": "int32"},
        "strategy": text(), "preferredHolder": text(),
    }}})
}

fn access_review() -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"spec": open, "status": open})
}

/// One built-in kind; the rest of its fields follow from these.
struct Builtin {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short_names: &'static [&'static str],
    properties: Value,
    columns: Vec<Column>,
}

impl Builtin {
    fn build(self) -> Kind {
        let age = Column::at("Age", "date", ".metadata.creationTimestamp");
        let mut columns = vec![Column::at("Name", "string", ".metadata.name")];
        columns.extend(self.columns);
        columns.push(age);
        let mut raw = json!({"type": "object", "properties": {
            "apiVersion": text(), "kind": text(), "metadata": metadata_schema(),
        }});
        if let (Some(all), Value::Object(own)) =
            (raw["properties"].as_object_mut(), self.properties)
        {
            all.extend(own);
        }
        let resource: Arc<str> = format!("{}/{}", self.group, self.plural).into();
        Kind {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            plural: self.plural.to_owned(),
            singular: self.kind.to_lowercase(),
            kind: self.kind.to_owned(),
            list_kind: format!("{}List", self.kind),
            short_names: self.short_names.iter().map(|&name| name.to_owned()).collect(),
            categories: Vec::new(),
            is_namespaced: true,
            is_custom: false,
            verbs: Verbs::All,
            view: View::Stored,
            stored_api_version: api_version(self.group, self.version),
            resource,
            schema: Schema::compile(&raw),
            raw_schema: raw,
            has_status: false,
            has_generation: false,
            scale: None,
            columns,
            selectable: Vec::new(),
            rules: None,
        }
    }
}

/// The built-in kinds.
pub(crate) fn kinds() -> Vec<Kind> {
    let mut kinds = vec![namespaces()];
    kinds.extend(plain());
    kinds.extend(events());
    kinds.extend([definitions(), reviews()]);
    kinds
}

fn namespaces() -> Kind {
    let namespaces = Builtin {
        group: "",
        version: "v1",
        plural: "namespaces",
        kind: "Namespace",
        short_names: &["ns"],
        properties: namespace(),
        columns: vec![Column::at("Status", "string", ".status.phase")],
    };
    Kind {
        is_namespaced: false,
        has_status: true,
        selectable: vec![("status.phase".to_owned(), FieldPath::parse(".status.phase"))],
        ..namespaces.build()
    }
}

fn plain() -> Vec<Kind> {
    let secrets = Builtin {
        group: "",
        version: "v1",
        plural: "secrets",
        kind: "Secret",
        short_names: &[],
        properties: json!({
            "data": texts(true), "stringData": texts(false), "immutable": {"type": "boolean"},
            "type": {"type": "string", "default": "Opaque"},
        }),
        columns: vec![Column::at("Type", "string", ".type"), Column::count("Data", ".data")],
    };
    let config_maps = Builtin {
        group: "",
        version: "v1",
        plural: "configmaps",
        kind: "ConfigMap",
        short_names: &["cm"],
        properties: json!({
            "data": texts(false), "binaryData": texts(true), "immutable": {"type": "boolean"},
        }),
        columns: vec![Column::count("Data", ".data")],
    };
    let leases = Builtin {
        group: "coordination.k8s.io",
        version: "v1",
        plural: "leases",
        kind: "Lease",
        short_names: &[],
        properties: lease(),
        columns: vec![Column::at("Holder", "string", ".spec.holderIdentity")],
    };
    let secret = secrets.build();
    let selectable = vec![("type".to_owned(), FieldPath::parse(".type"))];
    vec![Kind { selectable, ..secret }, config_maps.build(), leases.build()]
}

fn events() -> Vec<Kind> {
    let columns = |object: &str, message: &str| {
        vec![
            Column::at("Type", "string", ".type"),
            Column::at("Reason", "string", ".reason"),
            Column::at("Object", "string", object),
            Column::at("Message", "string", message),
        ]
    };
    let selectable = |fields: &[&str]| {
        fields.iter().map(|&field| (field.to_owned(), FieldPath::parse(field))).collect()
    };
    let core = Builtin {
        group: "",
        version: "v1",
        plural: "events",
        kind: "Event",
        short_names: &["ev"],
        properties: core_event(),
        columns: columns(".involvedObject.name", ".message"),
    };
    let new = Builtin {
        group: "events.k8s.io",
        version: "v1",
        plural: "events",
        kind: "Event",
        short_names: &["ev"],
        properties: new_event(),
        columns: columns(".regarding.name", ".note"),
    };
    let core = Kind {
        selectable: selectable(&[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]),
        ..core.build()
    };
    let new = Kind {
        selectable: selectable(&[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "reason",
            "reportingController",
            "type",
        ]),
        view: View::NewEvent,
        resource: core.resource.clone(),
        stored_api_version: core.stored_api_version.clone(),
        ..new.build()
    };
    vec![core, new]
}

fn definitions() -> Kind {
    let definitions = Builtin {
        group: "apiextensions.k8s.io",
        version: "v1",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        short_names: &["crd", "crds"],
        properties: access_review(),
        columns: vec![],
    };
    Kind {
        is_namespaced: false,
        verbs: Verbs::ReadOnly,
        columns: vec![
            Column::at("Name", "string", ".metadata.name"),
            Column::at("Created At", "string", ".metadata.creationTimestamp"),
        ],
        ..definitions.build()
    }
}

fn reviews() -> Kind {
    let reviews = Builtin {
        group: "authorization.k8s.io",
        version: "v1",
        plural: "selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        short_names: &[],
        properties: access_review(),
        columns: vec![],
    };
    Kind { is_namespaced: false, verbs: Verbs::Review, ..reviews.build() }
}

/// What a built-in kind makes of a body before it is checked.
pub(crate) fn normalise(kind: &Kind, object: &mut Value) {
    if kind.is_custom {
        return;
    }
    // Built-in kinds treat null as missing.
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        for (name, value) in fields.iter_mut() {
            if let Some(below) = value.as_object_mut()
                && name != "data"
                && name != "binaryData"
            {
                below.retain(|_, value| !value.is_null());
            }
        }
    }
    if kind.kind == "Secret" {
        encode_secret(object);
    }
}

fn encode_secret(object: &mut Value) {
    use base64::Engine as _;
    let fields = crate::object::map_mut(object);
    let Some(Value::Object(plain)) = fields.shift_remove("stringData") else { return };
    let data = crate::object::map_mut(fields.entry("data").or_insert_with(|| json!({})));
    for (name, value) in plain {
        if let Some(text) = value.as_str() {
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            data.insert(name, json!(encoded));
        }
    }
}

/// Labels that the server gives to a new object, as if its maker had.
pub(crate) fn label_new(kind: &Kind, object: &mut Value) {
    if kind.is_custom || kind.kind != "Namespace" {
        return;
    }
    let name = crate::object::meta(object, "name").to_owned();
    let meta = crate::object::meta_mut(object);
    let labels = crate::object::map_mut(meta.entry("labels").or_insert_with(|| json!({})));
    labels.insert("kubernetes.io/metadata.name".to_owned(), json!(name));
}

/// What the server adds to a new object as its own.
pub(crate) fn complete_new(kind: &Kind, object: &mut Value) {
    if kind.is_custom || kind.kind != "Namespace" {
        return;
    }
    let fields = crate::object::map_mut(object);
    fields.insert("spec".to_owned(), json!({"finalizers": ["kubernetes"]}));
    fields.insert("status".to_owned(), json!({"phase": "Active"}));
}

/// Checks what all kinds have in common, and what built-in kinds keep immutable.
pub(crate) fn check_metadata(
    kind: &Kind,
    object: &Value,
    live: Option<&Value>,
) -> Vec<crate::status::Cause> {
    use crate::object::{finalizers, is_going, meta};
    let mut causes = Vec::new();
    let mut wrong = |field: &str, message: String| {
        let (reason, field) = ("FieldValueInvalid", field.to_owned());
        causes.push(crate::status::Cause { reason, message, field });
    };
    let name = meta(object, "name");
    if live.is_none() && !is_name(name, kind.kind == "Namespace") {
        let message = format!(
            "Invalid value: \"{name}\": a lowercase RFC 1123 {} must consist of lower case \
             alphanumeric characters{}, and must start and end with an alphanumeric character",
            if kind.kind == "Namespace" { "label" } else { "subdomain" },
            if kind.kind == "Namespace" { " or '-'" } else { ", '-' or '.'" },
        );
        wrong("metadata.name", message);
    }
    check_texts(object, &mut wrong);
    if let Some(live) = live {
        let before = finalizers(live);
        if is_going(live) && finalizers(object).iter().any(|name| !before.contains(name)) {
            let message =
                "Forbidden: no new finalizers can be added if the object is being deleted";
            wrong("metadata.finalizers", message.to_owned());
        }
        let is_secret = !kind.is_custom && kind.kind == "Secret";
        if is_secret && live.get("type") != object.get("type") {
            let new = object.get("type").unwrap_or(&Value::Null);
            wrong("type", format!("Invalid value: {new}: field is immutable"));
        }
        let is_immutable = !kind.is_custom && live.get("immutable") == Some(&json!(true));
        let fields = ["data", "binaryData", "immutable", "type"];
        if is_immutable && fields.iter().any(|field| live.get(*field) != object.get(*field)) {
            let message = "Forbidden: field is immutable when `immutable` is set";
            wrong("data", message.to_owned());
        }
    }
    causes
}

fn check_texts(object: &Value, wrong: &mut impl FnMut(&str, String)) {
    let map = |field: &str| {
        let map = object.get("metadata").and_then(|meta| meta.get(field));
        map.and_then(Value::as_object).into_iter().flatten()
    };
    for (name, value) in map("labels") {
        let text = value.as_str().unwrap_or("");
        let allowed = |symbol: char| symbol.is_ascii_alphanumeric() || "-_.".contains(symbol);
        let ends = |symbol: char| symbol.is_ascii_alphanumeric();
        let is_bounded = text.is_empty() || (text.starts_with(ends) && text.ends_with(ends));
        if text.len() > 63 || !text.chars().all(allowed) || !is_bounded {
            let message = format!("Invalid value: \"{text}\": not a valid label value");
            wrong("metadata.labels", message);
        }
        if !is_qualified_name(name) {
            wrong("metadata.labels", format!("Invalid value: \"{name}\": not a valid label name"));
        }
    }
    let bytes: usize = map("annotations")
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > crate::limits::ANNOTATIONS_BYTES_MAX {
        let bound = crate::limits::ANNOTATIONS_BYTES_MAX;
        wrong("metadata.annotations", format!("Too long: may not be more than {bound} bytes"));
    }
    for (name, _) in map("annotations") {
        if !is_qualified_name(&name.to_lowercase()) {
            let message = format!("Invalid value: \"{name}\": not a valid annotation name");
            wrong("metadata.annotations", message);
        }
    }
}

fn is_qualified_name(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(a, b)| (Some(a), b));
    let allowed = |symbol: char| symbol.is_ascii_alphanumeric() || "-_.".contains(symbol);
    let ends = |symbol: char| symbol.is_ascii_alphanumeric();
    let is_prefix = prefix.is_none_or(|prefix| is_name(prefix, false));
    is_prefix
        && (1..=63).contains(&name.len())
        && name.chars().all(allowed)
        && name.starts_with(ends)
        && name.ends_with(ends)
}

/// RFC 1123: a label, or labels joined by dots.
fn is_name(text: &str, is_label: bool) -> bool {
    let allowed =
        |symbol: char| symbol.is_ascii_lowercase() || symbol.is_ascii_digit() || symbol == '-';
    let is_part = |part: &str| {
        !part.is_empty()
            && part.chars().all(allowed)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if is_label {
        return text.len() <= 63 && is_part(text);
    }
    text.len() <= 253 && text.split('.').all(is_part)
}
