//! Percentages, and lines as a whole.

use super::*;

#[test]
fn percentages_are_exact_or_refused() {
    let cases = [
        ("0%", Some(0)),
        ("5%", Some(50_000)),
        ("0.01%", Some(100)),
        ("0.0001%", Some(1)),
        ("99.9999%", Some(999_999)),
        ("100%", Some(CERTAIN_PPM)),
        ("100.0%", Some(CERTAIN_PPM)),
        ("100.0001%", None),
        ("101%", None),
        ("0.00001%", None),
        ("5", None),
        ("%", None),
        (".5%", None),
        ("5.%", None),
        ("-1%", None),
        ("+1%", None),
        ("1e1%", None),
        ("4294967296%", None),
    ];
    for (share, expected) in cases {
        assert_eq!(parts_per_million(share), expected, "{share}");
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_line_is_perfect_unless_the_spec_says_otherwise() {
    assert_eq!(impairment(None, "uid"), Ok(Impairment::default()));
    let perfect = Impairment { seed: seed_of("uid"), ..Default::default() };
    assert_eq!(impairment(Some(&Line::default()), "uid"), Ok(perfect));
    let line = Line {
        loss: Some("5%".into()),
        delay_ms: Some(50),
        jitter_ms: Some(10),
        partition: WantedPartition::Up,
        seed: Some(3),
        ..Line::default()
    };
    let expected = Impairment {
        loss_ppm: 50_000,
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(10),
        partition: Partition::Up,
        seed: 3,
        ..Default::default()
    };
    assert_eq!(impairment(Some(&line), "uid"), Ok(expected));
    let line = Line { corrupt: Some("much".into()), ..Line::default() };
    assert!(impairment(Some(&line), "uid").is_err_and(|why| why.contains("corrupt")));
    println!("\ncases: 4\n");
}
