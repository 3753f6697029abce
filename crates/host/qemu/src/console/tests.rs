//! Lines, their bounds, and the log.

use super::*;
use crate::scratch::Scratch;

fn open(scratch: &Scratch) -> Console {
    Console::open(&scratch.path().join("console.log")).unwrap()
}

fn check(written: &[u8], expected: &[&str]) {
    let scratch = Scratch::new();
    let console = open(&scratch);
    // The same lines come out wherever the writes are cut.
    for byte in written {
        console.write(&[*byte]);
    }
    let lines = console.recent();
    assert_eq!(lines.iter().map(|line| &**line).collect::<Vec<_>>(), expected);
    assert_eq!(fs::read(console.path().unwrap()).unwrap(), written);
}

#[test]
fn lines_are_readable_and_the_log_is_exact() {
    let long = [b'x'; CONSOLE_LINE_BYTES_MAX + 10];
    let long_line = [&long[..], b"\n"].concat();
    let cut = "x".repeat(CONSOLE_LINE_BYTES_MAX);
    check(b"one\r\ntwo\n\nthree", &["one", "two", ""]);
    check(b"\x1b[31mred\x07\ttab\n", &["[31mred\ttab"]);
    check(b"bad \xff utf-8\n", &["bad \u{fffd} utf-8"]);
    check(&long_line, &[&cut]);
    println!("\ncases: 4\n");
}

#[test]
fn a_follower_gets_what_comes_after() {
    let scratch = Scratch::new();
    let console = open(&scratch);
    console.write(b"before\n");
    let mark = console.line_count();
    let (recent, mut lines) = console.recent_and_follow();
    console.write(b"after\nunfinished");
    console.end_line();
    assert_eq!(recent.len(), 1);
    assert_eq!(&*lines.try_recv().unwrap(), "after");
    assert_eq!(&*lines.try_recv().unwrap(), "unfinished");
    assert_eq!(console.since(mark).len(), 2);
    assert_eq!(console.since(0).len(), 3);
}

#[test]
fn the_log_is_rotated_and_bounded() {
    let scratch = Scratch::new();
    let console = open(&scratch);
    let line = [b'y'; 1024];
    for _ in 0..3 * CONSOLE_LOG_BYTES_MAX / 1024 {
        console.write(&line);
    }
    let bytes = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(bytes(console.path().unwrap()) <= CONSOLE_LOG_BYTES_MAX);
    assert!(bytes(&rotated(console.path().unwrap())) <= CONSOLE_LOG_BYTES_MAX);
}

#[test]
fn a_flood_of_lines_is_bounded() {
    let scratch = Scratch::new();
    let console = open(&scratch);
    for index in 0..2 * CONSOLE_LINES_MAX {
        console.write(format!("{index}\n").as_bytes());
    }
    let recent = console.recent();
    assert_eq!(recent.len(), CONSOLE_LINES_MAX);
    assert_eq!(&*recent[0], CONSOLE_LINES_MAX.to_string());
    assert_eq!(console.since(0).len(), CONSOLE_LINES_MAX);
}
