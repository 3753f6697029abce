//! Waits over a row of errors at given times.

use super::*;

/// Errors at these times in milliseconds are followed by these waits.
#[track_caller]
fn check(errors_ms: &[u64], waits_ms: &[u128]) {
    let start = Instant::now();
    let mut backoff = WatchBackoff::default();
    let waits: Vec<u128> = errors_ms
        .iter()
        .map(|at| {
            backoff.reset();
            backoff.delay_at(start + Duration::from_millis(*at)).as_millis()
        })
        .collect();
    assert_eq!(waits, waits_ms);
}

#[test]
fn waits_double_up_to_a_bound_and_begin_anew_after_a_while() {
    check(&[0], &[200]);
    check(&[0, 200, 600, 1_400, 3_000, 5_000], &[200, 400, 800, 1_600, 2_000, 2_000]);
    check(&[0, 10_199], &[200, 400]);
    check(&[0, 10_200], &[200, 200]);
    check(&[0, 200, 11_000, 12_000], &[200, 400, 200, 400]);
    println!("\ncases: 5\n");
}
