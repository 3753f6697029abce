//! Structural schemas, compiled once from the OpenAPI form that custom resource definitions have.
//! Leaves out rules in CEL, which `cel` runs.

pub(crate) mod prune;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;

use serde_json::Value;

/// What kind of JSON value a schema describes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Type {
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

/// How the items of a list are told apart when several managers write it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ListType {
    /// One value, owned whole.
    Atomic,
    /// Scalars, each of them once.
    Set,
    /// Objects, told apart by these fields.
    Map(Vec<String>),
}

/// A compiled schema node.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) kind: Type,
    pub(crate) properties: BTreeMap<String, Schema>,
    /// Schema of the values of a map with free keys.
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) list_type: ListType,
    /// The map is one value, owned whole.
    pub(crate) is_atomic_map: bool,
    /// Unknown fields stay.
    pub(crate) keeps_unknown: bool,
    /// A whole Kubernetes object is held here.
    pub(crate) is_embedded: bool,
    pub(crate) is_nullable: bool,
    pub(crate) default: Option<Value>,
    bounds: Bounds,
}

#[derive(Clone, Debug, Default)]
struct Bounds {
    required: Vec<String>,
    allowed: Vec<Value>,
    format: String,
    pattern: Option<Result<regex::Regex, String>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    is_minimum_exclusive: bool,
    is_maximum_exclusive: bool,
    multiple_of: Option<f64>,
    length_min: Option<u64>,
    length_max: Option<u64>,
    items_min: Option<u64>,
    items_max: Option<u64>,
    properties_min: Option<u64>,
    properties_max: Option<u64>,
    has_unique_items: bool,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
}

impl Schema {
    /// A schema that accepts and keeps everything.
    pub(crate) fn any() -> Self {
        Self::compile(&serde_json::json!({"x-kubernetes-preserve-unknown-fields": true}))
    }

    /// Compiles the OpenAPI form. What it does not know is ignored, as Kubernetes does.
    pub(crate) fn compile(raw: &Value) -> Self {
        let flag = |name: &str| raw.get(name).and_then(Value::as_bool).unwrap_or(false);
        let sub = |name: &str| raw.get(name).filter(|value| value.is_object());
        let additional = match raw.get("additionalProperties") {
            Some(Value::Object(_)) => {
                sub("additionalProperties").map(|raw| Box::new(Self::compile(raw)))
            }
            Some(Value::Bool(true)) => Some(Box::new(Self::any())),
            _ => None,
        };
        let properties = raw.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        Self {
            kind: kind_of(raw),
            properties: properties.map(|(name, raw)| (name.clone(), Self::compile(raw))).collect(),
            additional,
            items: sub("items").map(|raw| Box::new(Self::compile(raw))),
            list_type: list_type_of(raw),
            is_atomic_map: raw.get("x-kubernetes-map-type").and_then(Value::as_str)
                == Some("atomic"),
            keeps_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            is_embedded: flag("x-kubernetes-embedded-resource"),
            is_nullable: flag("nullable"),
            default: raw.get("default").cloned(),
            bounds: Bounds::compile(raw),
        }
    }

    /// True if null is a value of its own here.
    fn accepts_null(&self) -> bool {
        self.is_nullable || self.kind == Type::Any
    }

    /// The schema of a field of an object, if it is known.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.additional.as_deref())
    }
}

impl Bounds {
    fn compile(raw: &Value) -> Self {
        let number = |name: &str| raw.get(name).and_then(Value::as_f64);
        let count = |name: &str| raw.get(name).and_then(Value::as_u64);
        let flag = |name: &str| raw.get(name).and_then(Value::as_bool).unwrap_or(false);
        let array =
            |name: &str| raw.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let schemas = |name: &str| array(name).iter().map(Schema::compile).collect();
        let pattern = raw.get("pattern").and_then(Value::as_str);
        Self {
            required: array("required")
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            allowed: array("enum"),
            format: raw.get("format").and_then(Value::as_str).unwrap_or("").to_owned(),
            pattern: pattern.map(|text| regex::Regex::new(text).map_err(|error| error.to_string())),
            minimum: number("minimum"),
            maximum: number("maximum"),
            is_minimum_exclusive: flag("exclusiveMinimum"),
            is_maximum_exclusive: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            length_min: count("minLength"),
            length_max: count("maxLength"),
            items_min: count("minItems"),
            items_max: count("maxItems"),
            properties_min: count("minProperties"),
            properties_max: count("maxProperties"),
            has_unique_items: flag("uniqueItems"),
            all_of: schemas("allOf"),
            any_of: schemas("anyOf"),
            one_of: schemas("oneOf"),
            not: raw.get("not").map(|raw| Box::new(Schema::compile(raw))),
        }
    }
}

fn kind_of(raw: &Value) -> Type {
    if raw.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true) {
        return Type::IntOrString;
    }
    match raw.get("type").and_then(Value::as_str) {
        Some("object") => Type::Object,
        Some("array") => Type::Array,
        Some("string") => Type::String,
        Some("integer") => Type::Integer,
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        _ => Type::Any,
    }
}

fn list_type_of(raw: &Value) -> ListType {
    match raw.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListType::Set,
        Some("map") => {
            let keys = raw.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys = keys.into_iter().flatten();
            ListType::Map(keys.filter_map(|key| key.as_str().map(str::to_owned)).collect())
        }
        _ => ListType::Atomic,
    }
}
