//! Command lines, and the specs that they ask for.

use clap::Parser;

use super::*;
use crate::arguments::{Arguments, Command};

fn parsed(options: &str) -> Result<Value> {
    let words = ["wasmbed", "connect", "board"].into_iter().chain(options.split_whitespace());
    match Arguments::try_parse_from(words)?.command {
        Command::Connect(connect) => line(&connect),
        _ => bail!("another command"),
    }
}

#[test]
fn a_line_is_what_its_options_say_and_nothing_of_before() {
    assert_eq!(parsed("").unwrap(), Value::Null);
    let expected = json!({
        "loss": "5%", "duplicate": null, "corrupt": "0.01%", "delayMs": 50, "jitterMs": 10,
        "partition": null, "seed": 7 });
    let words = "--loss 5 --corrupt 0.01% --delay 50ms --jitter 10ms --seed 7";
    assert_eq!(parsed(words).unwrap(), expected);
    for (word, expected) in [("up", "Up"), ("down", "Down"), ("both", "Both")] {
        let line = parsed(&format!("--partition {word}")).unwrap();
        assert_eq!(line["partition"], expected);
    }
    let refused = ["--delay 50", "--delay x", "--jitter 5ms", "--partition left", "--seed -1"];
    for words in refused {
        assert!(parsed(words).is_err(), "{words}");
    }
    println!("\ncases: 10\n");
}

#[test]
fn every_reset_has_a_time_of_its_own() {
    let now: jiff::Timestamp = "2026-11-22T10:00:00.7Z".parse().unwrap();
    let cases = [
        (None, "2026-11-22T10:00:00Z"),
        (Some("2026-11-22T09:00:00Z"), "2026-11-22T10:00:00Z"),
        (Some("2026-11-22T10:00:00Z"), "2026-11-22T10:00:01Z"),
        (Some("2026-11-22T10:00:04Z"), "2026-11-22T10:00:05Z"),
        (Some("never"), "2026-11-22T10:00:00Z"),
    ];
    for (last, expected) in cases {
        assert_eq!(later(now, last), expected);
    }
    println!("\ncases: {}\n", cases.len());
}
