//! Schemas that the derive cannot make: conditions, times, label selectors.
//!
//! Left out: anything a derive attribute can say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use schemars::{Schema, SchemaGenerator, json_schema};

/// Conditions: a list keyed by type, with the bounds of the upstream type.
pub fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "What was observed last, one entry per type.",
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": { "type": "string", "maxLength": 316 },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": { "type": "string", "maxLength": 32768 },
            },
        },
    })
}

/// A point in time, RFC 3339.
pub fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// A share as `5%` or `0.0125%`.
pub fn percentage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 8,
        "pattern": "^(100(\\.0{1,4})?|[0-9]{1,2}(\\.[0-9]{1,4})?)%$",
    })
}

/// A label selector. The empty one selects everything in the namespace.
pub fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": { "type": "string", "maxLength": 63 },
            },
            "matchExpressions": {
                "type": "array",
                "maxItems": 64,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "type": "string", "maxLength": 317 },
                        "operator": {
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "type": "array",
                            "maxItems": 256,
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string", "maxLength": 63 },
                        },
                    },
                },
            },
        },
    })
}

/// Labels to give to an object.
pub fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// Environment variables of a guest.
pub fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 94, "pattern": "^[^\\x00]*$" },
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))",
            "message": "the name of an environment variable has letters, digits and _ only, and does \
                        not begin with a digit",
        }],
    })
}

/// Formats of numbers and strings that an API server knows; it warns of any other at each apply.
///
/// # Source
/// Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", "Validation": of those, the
/// ones that the types here give.
pub const FORMATS: [&str; 5] = ["int32", "int64", "float", "double", "date-time"];

/// Drops what the derive leaves behind: printer column priorities of 0; `nullable`, because an
/// optional field is left out here, never null; and formats named for widths of Rust's integers.
pub fn tidy(definition: &mut CustomResourceDefinition) {
    for version in &mut definition.spec.versions {
        for column in version.additional_printer_columns.iter_mut().flatten() {
            column.priority = column.priority.filter(|priority| *priority != 0);
        }
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            tidy_schema(schema);
        }
    }
}

fn tidy_schema(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.format = schema.format.take().filter(|format| FORMATS.contains(&format.as_str()));
    schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
        .for_each(tidy_schema);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy_schema(items);
    }
}
