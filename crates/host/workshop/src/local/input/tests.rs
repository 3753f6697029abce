//! What is read from the command line.
use super::*;

#[test]
fn times_have_a_unit() {
    for (text, expected_ms) in [
        ("500ms", Some(500)),
        ("10s", Some(10_000)),
        ("2m", Some(120_000)),
        ("0s", Some(0)),
        ("10", None),
        ("s", None),
        ("-1s", None),
        ("1h", None),
    ] {
        assert_eq!(duration(text), expected_ms.map(Duration::from_millis), "{text}");
    }
}

#[test]
fn inputs_are_what_they_look_like() {
    let press = Input::parse_press("3@2s").unwrap();
    assert_eq!(press, Input { at: Duration::from_secs(2), what: What::Press { button: 3 } });
    let message = Input::parse_message("a/b=to@me=1@5ms").unwrap();
    let what = What::Message { topic: "a/b".to_owned(), payload: "to@me=1".to_owned() };
    assert_eq!(message, Input { at: Duration::from_millis(5), what });
    for text in ["", "0", "0@", "32@1s", "x@1s"] {
        assert!(Input::parse_press(text).is_err(), "{text}");
    }
    for text in ["", "a=b", "a@1s", "a=b@1"] {
        assert!(Input::parse_message(text).is_err(), "{text}");
    }
}
