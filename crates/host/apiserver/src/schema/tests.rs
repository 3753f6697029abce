//! Pruning, defaulting and validation, case by case.

use serde_json::{Value, json};

use super::Schema;

#[track_caller]
fn check(schema: &Value, input: &Value, kept: &Value, unknown: &[&str], wrong: &[&str]) {
    let schema = Schema::compile(schema);
    let mut value = input.clone();
    let mut dropped = Vec::new();
    schema.prune(&mut value, "", &mut dropped);
    schema.fill(&mut value);
    assert_eq!(&value, kept);
    assert_eq!(dropped, unknown);
    let mut causes = Vec::new();
    schema.validate(&value, "", &mut causes);
    let found: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    assert_eq!(found, wrong);
}

#[test]
fn drops_unknown_fields_and_fills_in_defaults() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "integer", "default": 3},
        "b": {"type": "object", "default": {}, "properties": {"c": {"type": "string", "default": "x"}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
    }});
    let input = json!({"z": 1, "b": {"y": 2}, "free": {"any": [1]}, "map": {"k": "v"}, "a": null});
    let kept = json!({"b": {"c": "x"}, "free": {"any": [1]}, "map": {"k": "v"}, "a": 3});
    check(&schema, &input, &kept, &["z", "b.y"], &[]);
}

#[test]
fn names_each_field_that_breaks_the_schema() {
    let schema = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"type": "string", "enum": ["On", "Off"]},
        "port": {"x-kubernetes-int-or-string": true},
        "id": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 3},
        "list": {"type": "array", "maxItems": 1, "x-kubernetes-list-type": "set",
                 "items": {"type": "string"}},
    }});
    let input =
        json!({"count": 10, "mode": "Maybe", "port": true, "id": "ABCD", "list": ["a", "a"]});
    check(
        &schema,
        &input,
        &input,
        &[],
        &[
            "name: Required value",
            "count: Invalid value: 10: count in body should be less than or equal to 9",
            "mode: Unsupported value: \"Maybe\": supported values: \"On\", \"Off\"",
            "port: Invalid value: \"boolean\": port in body must be of type integer,string: \"boolean\"",
            "id: Too long: may not be more than 3 bytes",
            "id: Invalid value: \"ABCD\": id in body should match '^[a-z]+$'",
            "list: Too many: 2: must have at most 1 items",
            "list[1]: Duplicate value: \"a\"",
        ],
    );
}

#[test]
fn counts_the_branches_of_one_of() {
    let schema = json!({"type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    check(&schema, &json!({"a": 1}), &json!({"a": 1}), &[], &[]);
    let both = json!({"a": 1, "b": 2});
    let wrong = ": Invalid value: :  in body must validate one and only one schema (oneOf)";
    check(&schema, &both, &both, &[], &[wrong]);
}
