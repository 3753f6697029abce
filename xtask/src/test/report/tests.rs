//! Tests of the counting.

use super::{Counter, Counts};

#[track_caller]
fn check(output: &str, passed: u64, failed: u64, skipped: u64) {
    let mut counter = Counter::default();
    output.lines().for_each(|line| counter.line(line));
    assert_eq!(counter.counts(), Counts { passed, failed, skipped });
}

#[test]
fn a_function_is_one_case_unless_it_says_how_many() {
    check("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured", 3, 0, 1);
    check("cases: 60\ntest result: ok. 2 passed; 0 failed; 0 ignored", 61, 0, 0);
    check("skipped: no openssl\ntest result: ok. 1 passed; 0 failed; 0 ignored", 0, 0, 1);
    check("test a ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored", 1, 1, 0);
}
