//! Lines without `core::fmt`.

use super::{LINE_BYTES, Line};

#[track_caller]
fn check(line: &Line, expected: &str) {
    assert_eq!(std::str::from_utf8(&line.bytes[..line.used]).unwrap(), expected);
}

#[test]
fn numbers_are_written_as_the_standard_library_writes_them() {
    let numbers = [0, 1, 9, 10, 99, 100, 1_234_567_890, u64::from(u32::MAX), u64::MAX];
    for number in numbers {
        let mut line = Line::new("n ");
        line.number(number);
        check(&line, &format!("n {number}"));
    }
    println!("\ncases: {}\n", numbers.len());
}

#[test]
fn parts_follow_each_other_and_what_does_not_fit_is_left_out() {
    let mut line = Line::new("a");
    line.text("b").bytes(b"c").id(&[0xde, 0xad, 0x0b, 0xef, 0x55]);
    check(&line, "abcdead0bef");
    line.text(&"x".repeat(200));
    assert_eq!(line.used, LINE_BYTES);
}
