//! Paths and ages, case by case.

use serde_json::json;

use super::{FieldPath, human};

#[test]
fn a_path_selects_what_kubectl_would_show() {
    let object = json!({
        "metadata": {"labels": {"a.b/c": "x"}},
        "status": {"conditions": [
            {"type": "Ready", "status": "True"}, {"type": "Odd]", "status": "False"}]},
        "list": [1, 2],
    });
    for (path, found) in [
        (".status.conditions[?(@.type==\"Ready\")].status", vec![json!("True")]),
        (".status.conditions[?(@.type=='Odd]')].status", vec![json!("False")]),
        ("{.list[*]}", vec![json!(1), json!(2)]),
        (".list[1]", vec![json!(2)]),
        (".metadata.labels['a.b/c']", vec![json!("x")]),
        (".metadata.labels.a\\.b/c", vec![json!("x")]),
        (".nothing.here", vec![]),
    ] {
        let selected: Vec<_> =
            FieldPath::parse(path).select(&object).into_iter().cloned().collect();
        assert_eq!(selected, found, "{path}");
    }
}

#[test]
fn an_age_has_at_most_two_units() {
    for (seconds, text) in [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (130, "2m10s"),
        (3000, "50m"),
        (10_800, "3h"),
        (11_000, "3h3m"),
        (90_000, "25h"),
        (180_000, "2d2h"),
        (864_000, "10d"),
        (63_072_000, "2y"),
        (300_000_000, "9y"),
    ] {
        assert_eq!(human(seconds), text, "{seconds}");
    }
}
