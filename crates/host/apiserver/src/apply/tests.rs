//! Two managers of one object, step by step.

use serde_json::{Value, json};

use super::{apply, blank};
use crate::kind::{Kind, Kinds};
use crate::managed::{Manager, Operation};

fn kinds() -> Kinds {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.test.example"},
        "spec": {
            "group": "test.example", "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "a": {"type": "integer"}, "b": {"type": "integer"},
                        "tags": {"type": "array", "x-kubernetes-list-type": "set",
                                 "items": {"type": "string"}},
                        "plain": {"type": "array", "items": {"type": "string"}},
                        "map": {"type": "object", "additionalProperties": {"type": "string"}},
                        "ports": {"type": "array", "x-kubernetes-list-type": "map",
                                  "x-kubernetes-list-map-keys": ["name"],
                                  "items": {"type": "object", "properties": {
                                      "name": {"type": "string"}, "n": {"type": "integer"},
                                      "m": {"type": "integer"}}}},
                    }},
                }}}}],
        },
    });
    Kinds::new(&[serde_json::from_value(definition).unwrap()]).unwrap()
}

/// Applies each `(manager, spec)` in turn; the spec that results, or the conflicts' fields.
fn run(steps: &[(&str, Value)], is_forced: bool) -> Result<Value, Vec<String>> {
    let kinds = kinds();
    let kind: &Kind = kinds.find("test.example", "v1", "things").unwrap();
    let mut live = Value::Null;
    for (name, spec) in steps {
        let config = json!({
            "apiVersion": "test.example/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec,
        });
        if live.is_null() {
            live = blank(&config);
        }
        let manager = Manager {
            name: (*name).to_owned(),
            operation: Operation::Apply,
            api_version: "test.example/v1".to_owned(),
            subresource: String::new(),
        };
        live = apply(kind, &live, &config, &manager, is_forced).map_err(|refusal| {
            let causes = refusal.to_status()["details"]["causes"].clone();
            let causes = causes.as_array().unwrap().iter();
            causes.map(|cause| cause["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })?;
    }
    Ok(live["spec"].clone())
}

#[test]
fn an_apply_merges_by_schema_and_removes_what_it_no_longer_names() {
    let ports = |list: Value| json!({"ports": list});
    type Steps = Vec<(&'static str, Value)>;
    let cases: [(&str, Steps, Value); 9] = [
        ("drops", vec![("m", json!({"a": 1, "b": 2})), ("m", json!({"a": 1}))], json!({"a": 1})),
        ("joins", vec![("m", json!({"a": 1})), ("n", json!({"b": 2}))], json!({"a": 1, "b": 2})),
        (
            "shares",
            vec![("m", json!({"a": 1})), ("n", json!({"a": 1})), ("m", json!({}))],
            json!({"a": 1}),
        ),
        (
            "sets",
            vec![
                ("m", json!({"tags": ["x", "y"]})),
                ("n", json!({"tags": ["z"]})),
                ("m", json!({"tags": ["y"]})),
            ],
            json!({"tags": ["y", "z"]}),
        ),
        (
            "atomic",
            vec![("m", json!({"plain": ["x"]})), ("m", json!({"plain": ["y", "z"]}))],
            json!({"plain": ["y", "z"]}),
        ),
        (
            "free map",
            vec![
                ("m", json!({"map": {"k": "1"}})),
                ("n", json!({"map": {"l": "2"}})),
                ("m", json!({"a": 1})),
            ],
            json!({"map": {"l": "2"}, "a": 1}),
        ),
        (
            "keyed",
            vec![
                ("m", ports(json!([{"name": "p", "n": 1}]))),
                ("n", ports(json!([{"name": "p", "m": 2}, {"name": "q", "n": 3}]))),
            ],
            ports(json!([{"name": "p", "n": 1, "m": 2}, {"name": "q", "n": 3}])),
        ),
        (
            "keyed removal",
            vec![
                ("m", ports(json!([{"name": "p", "n": 1}, {"name": "q", "n": 1}]))),
                ("m", ports(json!([{"name": "q", "n": 1}]))),
            ],
            ports(json!([{"name": "q", "n": 1}])),
        ),
        (
            "order",
            vec![
                ("m", ports(json!([{"name": "p"}, {"name": "q"}]))),
                ("n", ports(json!([{"name": "r"}, {"name": "q"}]))),
            ],
            ports(json!([{"name": "p"}, {"name": "r"}, {"name": "q"}])),
        ),
    ];
    for (name, steps, expected) in &cases {
        assert_eq!(run(steps, false).as_ref(), Ok(expected), "{name}");
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_value_of_another_manager_is_a_conflict_unless_forced() {
    let steps = [("m", json!({"a": 1, "plain": ["x"]})), ("n", json!({"a": 2, "plain": []}))];
    assert_eq!(run(&steps, false), Err(vec![".spec.a".to_owned(), ".spec.plain".to_owned()]));
    assert_eq!(run(&steps, true), Ok(json!({"a": 2, "plain": []})));
    // After the force, the loser owns nothing: leaving its fields out removes nothing.
    let steps = [("m", json!({"a": 1})), ("n", json!({"a": 2})), ("m", json!({"b": 1}))];
    assert_eq!(run(&steps, true), Ok(json!({"a": 2, "b": 1})));
}
