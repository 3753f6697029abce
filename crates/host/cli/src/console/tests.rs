//! A log that grows, is rotated, and has in it what would steer a terminal.

use super::*;

fn append(path: &Path, text: &[u8]) {
    let file = File::options().append(true).create(true).open(path);
    file.unwrap().write_all(text).unwrap();
}

#[test]
fn no_line_is_lost_while_a_log_is_rotated() {
    let folder = std::env::temp_dir().join(format!("wasmbed-console-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, before) = (folder.join("console.log"), folder.join("console.log.1"));
    append(&before, b"oldest\n");
    append(&path, b"older\nhalf a");
    let mut log = Log::open(&path).unwrap();
    assert_eq!(rotated(&path).unwrap(), ["oldest"]);
    assert_eq!(log.follow(&path).unwrap(), ["older"]);
    append(&path, b" line\nlast\n");
    std::fs::rename(&path, &before).unwrap();
    // Between the two files there is none for a moment.
    assert_eq!(log.follow(&path).unwrap(), ["half a line", "last"]);
    append(&before, b"later still\n");
    append(&path, b"first\n");
    assert_eq!(log.follow(&path).unwrap(), ["later still", "first"]);
    assert_eq!(log.follow(&path).unwrap(), [""; 0]);
    std::fs::remove_dir_all(&folder).unwrap();
    println!("\ncases: 5\n");
}

#[test]
fn a_line_cannot_steer_the_terminal() {
    let cases: [(&[u8], &str); 4] = [
        (b"plain\ttext\r\n", "plain\ttext"),
        (b"\x1b[2Jgone\x07\n", "[2Jgone"),
        (b"\xff\xfe\n", "\u{fffd}\u{fffd}"),
        ("\u{9b}2J\n".as_bytes(), "2J"),
    ];
    for (line, expected) in cases {
        assert_eq!(shown(line), expected);
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn changes_of_a_log_wake_who_follows_it() {
    let folder = std::env::temp_dir().join(format!("wasmbed-changes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("console.log");
    append(&path, b"before\n");
    let mut changes = Changes::of(&path).unwrap();
    append(&path, b"after\n");
    changes.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let deleted = std::iter::repeat_with(|| changes.wait()).find_map(Result::err).unwrap();
    assert!(deleted.to_string().contains("was deleted"), "{deleted}");
    println!("\ncases: 2\n");
}
