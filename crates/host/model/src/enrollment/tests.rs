//! Tokens: who may use one, and until when.

use super::*;

/// Uses allowed, end, used by, who asks at second 100; what is decided, what Ready says.
type Row = (u64, Option<i64>, &'static [&'static str], &'static str, Decision, &'static str);

#[test]
fn a_token_is_used_as_often_as_allowed_and_no_longer() {
    use Decision::{Refuse, Use, UsedBefore};
    use RefusedReason::{TokenExpired, TokenUsedUp};
    let cases: [Row; 9] = [
        (1, None, &[], "a", Use, "Open"),
        (1, Some(101), &[], "a", Use, "Open"),
        (1, Some(100), &[], "a", Refuse(TokenExpired), "Expired"),
        (1, Some(99), &["a"], "a", UsedBefore, "Expired"),
        (1, None, &["a"], "a", UsedBefore, "UsedUp"),
        (1, None, &["a"], "b", Refuse(TokenUsedUp), "UsedUp"),
        (2, None, &["a"], "b", Use, "Open"),
        (2, None, &["a", "b"], "c", Refuse(TokenUsedUp), "UsedUp"),
        (0, None, &[], "a", Refuse(TokenUsedUp), "UsedUp"),
    ];
    for (uses_max, expires_s, used_by, key, decision, reason) in cases {
        let enrollment = Enrollment { uses_max, expires_s, used_by: used_by.to_vec() };
        assert_eq!(decide(&enrollment, key, 100), decision, "{enrollment:?} {key}");
        let (observation, revisit_s) = observe(&enrollment, 100);
        assert_eq!(observation.reason, reason, "{enrollment:?}");
        let expected = expires_s.filter(|_| reason == "Open").map(|end| end.abs_diff(100));
        assert_eq!(revisit_s, expected, "{enrollment:?}");
    }
    println!("\ncases: {}", 3 * cases.len());
}
