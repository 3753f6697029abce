//! Tests of the templates.

use serde_json::json;

use super::json_path;

#[track_caller]
fn check(template: &str, expected: &str) {
    let value = json!({
        "metadata": {"name": "a", "labels": {"x.y/z": "1"}},
        "status": {"conditions": [
            {"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
    });
    let text = json_path(template, &value).unwrap_or_else(|error| error.to_string());
    assert_eq!(text, expected);
}

#[test]
fn templates_select_as_in_kubectl() {
    check("{.metadata.name}", "a");
    check("{.metadata.labels.x\\.y/z}", "1");
    check("{.metadata.labels['x.y/z']}", "1");
    check("{.status.conditions[0].type}", "Ready");
    check("{.status.conditions[*].status}", "True False");
    check("{.status.conditions[?(@.type==\"Ready\")].status}", "True");
    check("name: {.metadata.name}{\"\\n\"}", "name: a\n");
    check("{.nothing.here}", "");
    check("{.metadata", "unclosed { in \"{.metadata\"");
    println!("\ncases: 9");
}
