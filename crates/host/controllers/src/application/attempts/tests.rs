//! When an attempt is repeated, and when a status is written again.

use super::*;
use wasmbed_model::condition::reasons;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_348_800_000 + ms).unwrap()
}

#[test]
fn what_may_pass_is_tried_again_ever_more_rarely() {
    let attempts = Attempts::default();
    let transient = || Refusal::transient(reasons::FETCH_FAILED, "");
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let refused = attempts.refuse("a", 1, String::new(), transient(), at(0));
        assert_eq!(refused.retry_at, Some(at(1000 * seconds)));
    }
    // A new generation starts afresh, and what is wrong for good is not tried again by time.
    let refused = attempts.refuse("a", 2, String::new(), transient(), at(0));
    assert_eq!(refused.retry_at, Some(at(1000)));
    assert!(attempts.refused("a", 1).is_none() && attempts.refused("a", 2).is_some());
    let lasting = Refusal::lasting(reasons::DIGEST_MISMATCH, "");
    assert_eq!(attempts.refuse("a", 2, String::new(), lasting, at(0)).retry_at, None);
    attempts.retain(|uid| uid != "a");
    assert!(attempts.refused("a", 2).is_none());
    println!("\ncases: 16");
}

#[test]
fn a_status_is_not_written_all_the_time() {
    let attempts = Attempts::default();
    let pause = Duration::from_millis(50);
    attempts.wrote("a", at(1000));
    let cases = [
        ("a", 1000, Some(50)),
        ("a", 1049, Some(1)),
        ("a", 1050, None),
        ("a", 5000, None),
        ("a", 0, Some(50)),
        ("b", 1000, None),
    ];
    for (uid, now, left) in cases {
        let found = attempts.wait_to_write(uid, at(now), pause);
        assert_eq!(found, left.map(Duration::from_millis), "{uid} {now}");
    }
    println!("\ncases: {}", cases.len());
}
