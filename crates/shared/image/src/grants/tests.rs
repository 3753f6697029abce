//! Grants survive their text and their bytes; everything else is refused with a reason.
use super::text::ParseErrorKind;
use super::*;
use std::string::{String, ToString};
use std::vec::Vec;

/// Texts that are grants, and their bytes.
const GOOD: [(&str, &[u8]); 16] = [
    ("log", &[0]),
    ("log@10/s", &[0x40, 10, 0]),
    ("clock", &[1]),
    ("timer", &[2]),
    ("telemetry", &[3]),
    ("telemetry:lab/", &[0x23, 4, b'l', b'a', b'b', b'/']),
    ("telemetry:a@600/m", &[0xa3, 0x58, 2, 1, b'a']),
    ("random", &[4]),
    ("args", &[5]),
    ("send:x@65535/h", &[0xe6, 0xff, 0xff, 1, b'x']),
    ("receive", &[7]),
    ("storage:256", &[0x28, 0, 1]),
    ("led:3", &[0x29, 3]),
    ("led:green", &[0x29, 0x25, b'g', b'r', b'e', b'e', b'n']),
    ("i2c:0x48@5/s", &[0x6b, 5, 0, 0x48]),
    ("uart:0", &[0x2c, 0]),
];

fn list(texts: &[&str]) -> GrantList {
    GrantList::parse(texts.iter().copied()).unwrap()
}

#[test]
fn a_grant_survives_its_text_and_its_bytes() {
    for (text, bytes) in GOOD {
        let list = list(&[text]);
        assert_eq!(list.grants().bytes(), bytes, "{text}");
        let grants = Grants::decode(bytes).unwrap();
        let written: Vec<String> = grants.iter().map(|grant| grant.to_string()).collect();
        assert_eq!(written, [text]);
    }
    let all: Vec<&str> = GOOD.iter().map(|(text, _)| *text).collect();
    let list = GrantList::parse(all.iter().copied().filter(|text| *text != "log")).unwrap();
    assert_eq!(Grants::decode(list.grants().bytes()), Ok(list.grants()));
    assert_eq!(list.grants().bits(), 0x1fff & !(1 << 10));
    std::println!("\ncases: {}\n", GOOD.len());
}

#[test]
fn a_text_that_is_no_grant_is_refused_with_what_is_allowed() {
    let cases = [
        ("", "there are: log, clock"),
        ("gpio", "there are: log, clock"),
        ("Log", "there are: log, clock"),
        ("log:x", "log takes none"),
        ("storage", "storage:BYTES needs a number up to 768"),
        ("storage:", "storage:BYTES needs a number up to 768"),
        ("storage:769", "storage:BYTES needs a number up to 768"),
        ("storage:+5", "storage:BYTES needs a number up to 768"),
        ("storage:66000", "storage:BYTES needs a number up to 768"),
        ("telemetry:", "1 to 32 bytes"),
        ("telemetry:012345678901234567890123456789012", "1 to 32 bytes"),
        ("led:32", "led:INDEX takes 0 to 31"),
        ("led:", "led:INDEX takes 0 to 31"),
        ("led:-1", "led:INDEX takes 0 to 31"),
        ("button:red", "button:INDEX takes 0 to 31"),
        ("i2c:72", "0x00 to 0x7f"),
        ("i2c:0x80", "0x00 to 0x7f"),
        ("i2c:0x", "0x00 to 0x7f"),
        ("i2c:0x+1", "0x00 to 0x7f"),
        ("clock@1/s", "clock takes none; these do: log, telemetry"),
        ("log@", "COUNT/UNIT, as in @10/s"),
        ("log@10", "COUNT/UNIT, as in @10/s"),
        ("log@10/d", "COUNT/UNIT, as in @10/s"),
        ("log@+1/s", "COUNT/UNIT, as in @10/s"),
        ("log@/s", "COUNT/UNIT, as in @10/s"),
        ("log@0/s", "1 to 1000 per s"),
        ("log@1001/s", "1 to 1000 per s"),
        ("log@60001/m", "1 to 60000 per m"),
        ("log@65536/h", "1 to 65535 per h"),
    ];
    for (text, hint) in cases {
        let error = Grant::parse(text).unwrap_err().to_string();
        assert!(error.contains(hint), "{text}: {error}");
        assert!(error.starts_with(&std::format!("{text:?} ")), "{error}");
    }
    std::println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_list_is_bounded_and_grants_nothing_twice() {
    let kind = |texts: &[&str]| GrantList::parse(texts.iter().copied()).unwrap_err().kind;
    assert_eq!(kind(&["log", "log"]), ParseErrorKind::Twice);
    assert_eq!(kind(&["log", "log@1/s"]), ParseErrorKind::Twice);
    assert_eq!(kind(&["storage:1", "storage:2"]), ParseErrorKind::Twice);
    let leds: Vec<String> = (0..17).map(|index| std::format!("led:{index}")).collect();
    let leds: Vec<&str> = leds.iter().map(String::as_str).collect();
    assert_eq!(kind(&leds), ParseErrorKind::TooMany);
    let long: Vec<String> =
        (0..5).map(|index| std::format!("send:{index}{}", "x".repeat(28))).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_eq!(kind(&long), ParseErrorKind::TooLong);
    assert_eq!(list(&["telemetry:a", "telemetry:b"]).grants().iter().count(), 2);
    assert_eq!(Grants::all().bits().count_ones() as usize, Capability::ALL.len());
    assert_eq!(Grants::decode(Grants::all().bytes()), Ok(Grants::all()));
}

#[test]
fn every_truncation_and_every_changed_byte_is_refused_or_another_list() {
    let texts: Vec<&str> =
        GOOD.iter().map(|(text, _)| *text).filter(|text| *text != "log").collect();
    let list = list(&texts);
    let bytes = list.grants().bytes();
    let count = list.grants().iter().count();
    let mut cases = 0;
    for length in 0..bytes.len() {
        if let Ok(shorter) = Grants::decode(&bytes[..length]) {
            assert!(shorter.iter().count() < count);
        }
        for value in 0..=255 {
            cases += 1;
            let mut changed = Vec::from(bytes);
            changed[length] = value;
            let Ok(grants) = Grants::decode(&changed) else { continue };
            // What is taken can be written as text, read back, and is the same.
            let texts: Vec<String> = grants.iter().map(|grant| grant.to_string()).collect();
            let again: Vec<Grant<'_>> = texts.iter().flat_map(|text| Grant::parse(text)).collect();
            if texts.iter().all(|text| !text.contains(['@', ':']) || again.len() == texts.len()) {
                assert_eq!(again.len(), texts.len(), "{texts:?}");
            }
        }
    }
    assert_eq!(Grants::decode(&[0; GRANTS_BYTES_MAX + 1]), Err(GrantError::TooLong));
    assert_eq!(Grants::decode(&[0, 0]), Err(GrantError::Twice));
    assert_eq!(Grants::decode(&[0x1f]), Err(GrantError::Malformed));
    assert_eq!(Grants::decode(&[0x08]), Err(GrantError::Malformed));
    assert_eq!(Grants::decode(&[0x40, 0, 0]), Err(GrantError::Malformed));
    std::println!("\ncases: {cases}\n");
}

#[test]
fn a_rate_allows_its_count_at_once_and_as_many_again_in_each_unit() {
    let cases = [(3, RateUnit::Second), (1, RateUnit::Minute), (600, RateUnit::Minute)];
    for (count, unit) in cases {
        let rate = Rate { count, unit };
        let mut state = 0;
        let start_us = 5_000_000_000;
        let burst = (0..2 * count).filter(|_| rate.take(&mut state, start_us)).count();
        assert_eq!(burst, usize::from(count));
        let interval_us = unit.us().div_ceil(u64::from(count));
        assert!(!rate.take(&mut state, start_us + interval_us - 1));
        assert!(rate.take(&mut state, start_us + interval_us));
        assert!(!rate.take(&mut state, start_us + interval_us));
        let step_us = interval_us.div_ceil(10);
        let steps = 10 * u64::from(count);
        let is_taken = |step: &u64| rate.take(&mut state, start_us + interval_us + step * step_us);
        assert_eq!((1..=steps).filter(is_taken).count(), usize::from(count));
    }
    std::println!("\ncases: {}\n", cases.len());
}

#[test]
fn the_arena_holds_the_list_and_the_state_of_its_rates() {
    assert_eq!(list(&[]).grants().arena_bytes(), 0);
    assert_eq!(list(&["log"]).grants().arena_bytes(), 8);
    assert_eq!(list(&["log@1/s", "telemetry:lab/@1/s"]).grants().arena_bytes(), 16 + 16);
}

#[test]
fn a_topic_needs_the_prefix_and_its_bound() {
    let prefix = Argument::Prefix("sensors/");
    assert!(prefix.allows_topic(b"sensors/t"));
    assert!(!prefix.allows_topic(b"other"));
    assert!(!prefix.allows_topic(b"sensors/with-a-name-that-is-too-long"));
    assert!(Argument::Any.allows_topic(b"other"));
    assert!(!Argument::Any.allows_topic(&[b'x'; 33]));
    assert!(Argument::Address(0x48).allows_number(0x48) && !Argument::Index(1).allows_number(0));
}
