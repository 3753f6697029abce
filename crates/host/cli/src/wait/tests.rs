//! Tests of states and durations.

use serde_json::json;

use super::{State, parse_duration};

#[track_caller]
fn check(state: &str, expected: bool) {
    let object = json!({
        "metadata": {"generation": 2},
        "status": {"conditions": [
            {"type": "Ready", "status": "True", "observedGeneration": 2},
            {"type": "Old", "status": "True", "observedGeneration": 1},
            {"type": "Bad", "status": "False"}], "counts": {"running": 1}},
    });
    let holds = State::parse(state).and_then(|state| state.holds(Some(&object)));
    assert_eq!(holds.ok(), Some(expected), "{state}");
}

#[test]
fn a_state_is_read_from_the_status() {
    check("condition=Ready", true);
    check("condition=ready=True", true);
    check("condition=Ready=False", false);
    check("condition=Old", false);
    check("condition=Bad=false", true);
    check("condition=None", false);
    check("create", true);
    check("delete", false);
    check("jsonpath={.status.counts.running}=1", true);
    check("jsonpath={.status.counts.running}=2", false);
    assert!(State::parse("ready").is_err());
    assert_eq!(State::Deleted.holds(None).ok(), Some(true));
    println!("\ncases: 12");
}

#[test]
fn durations_are_those_of_kubectl() {
    for (text, seconds) in
        [("90s", Some(90)), ("2m", Some(120)), ("1h30m", Some(5400)), ("5", Some(5))]
    {
        assert_eq!(parse_duration(text).ok().map(|duration| duration.as_secs()), seconds);
    }
    for text in ["", "s", "5x", "1m5", "-1s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    println!("\ncases: 9");
}
