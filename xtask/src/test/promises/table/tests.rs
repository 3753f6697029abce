//! Tables that are written and read.

use super::*;

fn cells(words: &[(u64, &str)]) -> Cells {
    let cell = |(promise, word): &(u64, &str)| {
        (Place { board: "mps2-an386".into(), promise: *promise }, (*word).to_owned())
    };
    words.iter().map(cell).collect()
}

#[test]
fn what_was_written_is_read_again_and_replaces_what_stood_there() {
    let reason = word(Some("a | b\nc"));
    assert_eq!(reason, "failed: a   b c");
    let cells = cells(&[(1, PASSED), (2, &reason)]);
    let text = "# Page\n<!-- promises: embedded -->\nold\n<!-- end of promises -->\nrest\n";
    let written = replaced(text, "embedded", &render(&cells));
    let written = written.unwrap_or_default();
    assert!(written.starts_with("# Page\n") && written.ends_with("\nrest\n"), "{written}");
    assert!(!written.contains("old"), "{written}");
    assert!(written.contains("| mps2-an505 | not run | not run |"), "{written}");
    assert_eq!(parse(block(&written, "embedded").unwrap_or_default()), cells);
    assert_eq!(block(&written, "another"), None);
}

#[test]
fn a_cell_for_both_says_where_they_differ() {
    let check = |embedded: &[(u64, &str)], real: &[(u64, &str)], expected: &[(u64, &str)]| {
        let servers =
            BTreeMap::from([("embedded", cells(embedded)), ("kube-apiserver", cells(real))]);
        assert_eq!(both(&servers), cells(expected));
    };
    check(&[(1, PASSED)], &[(1, PASSED)], &[(1, PASSED)]);
    check(&[(1, "failed: x")], &[(1, "failed: y")], &[(1, "failed")]);
    check(&[(2, PASSED)], &[], &[(2, "embedded: passed, kube-apiserver: not run")]);
}
