//! Lines of text and numbers.
extern crate std;

use super::*;

#[track_caller]
fn check<const BYTES: usize>(build: impl Fn(&mut Line<BYTES>), expected: &str) {
    let mut line = Line::new();
    build(&mut line);
    assert_eq!(line.as_str(), expected);
}

#[test]
fn text_and_numbers_follow_each_other() {
    check::<32>(|line| _ = line.text("count ").number(0), "count 0");
    check::<32>(|line| _ = line.number(u32::MAX).text("!"), "4294967295!");
}

#[test]
fn what_does_not_fit_is_left_out() {
    check::<3>(|line| _ = line.text("abcd"), "abc");
    check::<3>(|line| _ = line.text("a€"), "a");
    check::<3>(|line| _ = line.number(1234).number(12), "12");
}
