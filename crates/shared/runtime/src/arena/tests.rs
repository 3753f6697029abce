//! Placing ranges.

use super::{Range, align, place};

#[track_caller]
fn check(used: &[(u32, u32)], bytes: u32, expected: Result<u32, u32>) {
    let ranges = used.iter().map(|(start, bytes)| Range { start: *start, bytes: *bytes });
    assert_eq!(place(100, ranges, bytes).map(|range| range.start), expected);
}

#[test]
fn the_first_hole_that_is_large_enough_is_taken() {
    check(&[], 100, Ok(0));
    check(&[], 101, Err(100));
    check(&[(0, 40)], 60, Ok(40));
    check(&[(0, 40)], 61, Err(60));
    check(&[(40, 20), (0, 16)], 24, Ok(16));
    check(&[(40, 20), (0, 16)], 25, Ok(60));
    check(&[(40, 20), (0, 16)], 41, Err(40));
    check(&[(0, 100)], 1, Err(0));
    check(&[(0, 0)], 100, Ok(0));
    println!("\ncases: 9\n");
}

#[test]
fn lengths_are_rounded_up_and_bounded() {
    assert_eq!([align(0), align(1), align(8), align(9)], [Some(0), Some(8), Some(8), Some(16)]);
    assert_eq!(align(u64::from(u32::MAX)), None);
}
