//! An Application's counts and conditions, one situation a row.

use super::*;
use crate::ids::Digest;

fn target() -> Revision {
    Revision {
        host_calls: 0,
        name: "a-3".into(),
        generation: 3,
        image: Digest([1; 32]),
        image_bytes: 100,
        image_format: 1,
        arena_bytes: 500,
    }
}

/// One device a line: `name board connected|lost|- arena [generation state reason message]`.
fn parse(text: &'static str) -> Vec<DeviceView<'static>> {
    let device = |line: &'static str| {
        let words: Vec<_> = line.split(' ').collect();
        let budget = words[3].parse().ok().map(|arena_bytes| Budget {
            host_calls: u32::MAX,
            arena_bytes,
            slot_bytes: 1000,
            slots: 2,
            guests: 1,
            image_format: 1,
        });
        let guest = (words.len() > 4).then(|| GuestView {
            generation: words[4].parse().unwrap(),
            state: words[5],
            reason: words[6],
            message: words[7],
        });
        let connected = if words[2] == "connected" { Verdict::True } else { Verdict::Unknown };
        DeviceView { name: words[0], board: words[1], connected, budget, guest }
    };
    text.lines().map(device).collect()
}

/// `matched installed running failed refused Available Ready`.
fn summary(text: &'static str, suspend: bool) -> String {
    let tally = tally(&parse(text), Some(&target()));
    let prepared = Observation::holds(kinds::PREPARED, reasons::IMAGE_READY, "");
    let Counts { matched, installed, running, failed, refused, .. } = tally.counts;
    let words = conditions(&prepared, suspend, &tally)
        .map(|o| format!("{}/{}", o.verdict.text(), o.reason));
    format!("{matched} {installed} {running} {failed} {refused} {}", words.join(" "))
}

#[test]
fn adds_up_what_devices_report() {
    let cases = [
        ("", false, "0 0 0 0 0 False/NoMatchingDevices False/NoMatchingDevices"),
        ("a m3 connected 800", false, "1 0 0 0 0 False/NoneRunning False/Progressing"),
        // An older generation counts for nothing.
        (
            "a m3 connected 800 2 Running None -",
            false,
            "1 0 0 0 0 False/NoneRunning False/Progressing",
        ),
        (
            "a m3 connected 800 3 Installing None -",
            false,
            "1 0 0 0 0 False/NoneRunning False/Progressing",
        ),
        (
            "a m3 connected 800 3 Installed None -",
            false,
            "1 1 0 0 0 False/NoneRunning False/Progressing",
        ),
        ("a m3 connected 800 3 Running None -", false, "1 1 1 0 0 True/AllRunning True/AllRunning"),
        ("a m3 lost 800 3 Running None -", false, "1 1 0 0 0 False/NoneRunning False/Progressing"),
        (
            "a m3 connected 800 3 Running None -\nb m3 connected 800",
            false,
            "2 1 1 0 0 True/SomeRunning False/Progressing",
        ),
        (
            "a m3 connected 800 3 Running None -\nb m3 connected 800 3 Failed TrapUnreachable -",
            false,
            "2 2 1 1 0 True/SomeRunning False/GuestFailed",
        ),
        (
            "a m3 connected 800 3 Refused SignatureInvalid -",
            false,
            "1 0 0 0 1 False/NoneRunning False/Refused",
        ),
        (
            "a m3 connected 400 3 Refused ArenaTooSmall -",
            false,
            "1 0 0 0 1 False/NoneRunning False/DoesNotFit",
        ),
        (
            "a m3 connected 800 3 Finished None -",
            false,
            "1 1 0 0 0 False/NoneRunning True/Finished",
        ),
        (
            "a m3 connected 800 3 Finished None -\nb m3 connected 800 3 Running None -",
            false,
            "2 2 1 0 0 True/SomeRunning True/AllRunning",
        ),
        ("a m3 connected 800 3 Stopped None -", true, "1 1 0 0 0 False/Suspended False/Suspended"),
        (
            "a m3 connected 800 3 NewState None -",
            false,
            "1 0 0 0 0 False/NoneRunning False/Progressing",
        ),
    ];
    for (devices, suspend, expected) in cases {
        assert_eq!(summary(devices, suspend), expected, "{devices}");
    }
    println!("\ncases: {}", cases.len());
}

#[test]
fn a_preparation_that_failed_is_why_it_is_not_ready() {
    let cases = [
        Observation::fails(kinds::PREPARED, reasons::DIGEST_MISMATCH, "expected a, found b"),
        Observation::unknown(kinds::PREPARED, reasons::PENDING, ""),
    ];
    let tally = tally(&parse("a m3 connected 800 3 Running None -"), Some(&target()));
    for prepared in &cases {
        let [available, ready] = conditions(prepared, false, &tally);
        assert_eq!(ready, Observation { kind: kinds::READY, ..prepared.clone() });
        // The revision before goes on running meanwhile.
        assert_eq!(available.reason, reasons::ALL_RUNNING);
    }
    println!("\ncases: {}", 2 * cases.len());
}

#[test]
fn reports_the_fit_of_every_board() {
    let tally =
        tally(&parse("a m3 lost 800\nb m3 lost 600\nc m4 lost 400\nd m7 lost -"), Some(&target()));
    let rows: Vec<_> = tally
        .fit
        .iter()
        .map(|(board, fit)| (board.as_str(), fit.fits, fit.devices, fit.budget.arena_bytes))
        .collect();
    // The device that has not said what fits is in no row.
    assert_eq!(rows, [("m3", true, 2, 600), ("m4", false, 1, 400)]);
    println!("\ncases: {}", rows.len());
}

#[test]
fn keeps_the_newest_revisions_and_those_in_use() {
    let revisions = [("a-9", 9), ("a-10", 10), ("a-2", 2), ("a-1", 1)];
    let cases: [(usize, &[&str], &[&str]); 5] = [
        (10, &[], &[]),
        (4, &[], &[]),
        (2, &[], &["a-1", "a-2"]),
        (2, &["a-1"], &["a-2"]),
        (0, &["a-10"], &["a-1", "a-2", "a-9"]),
    ];
    for (keep, in_use, expected) in cases {
        assert_eq!(surplus_revisions(&revisions, in_use, keep), expected, "{keep} {in_use:?}");
    }
    println!("\ncases: {}", cases.len());
}

#[test]
fn a_revision_is_kept_only_if_it_is_what_the_spec_asks_for() {
    // Template unchanged, digest pinned, generation answered; kept.
    let cases = [
        (true, true, true, true),
        (true, true, false, true),
        (true, false, true, true),
        (true, false, false, false),
        (false, true, true, false),
        (false, true, false, false),
        (false, false, true, false),
        (false, false, false, false),
    ];
    for (template_unchanged, digest_pinned, generation_answered, kept) in cases {
        let freshness = Freshness { template_unchanged, digest_pinned, generation_answered };
        assert_eq!(freshness.keeps_revision(), kept, "{freshness:?}");
    }
    println!("\ncases: {}", cases.len());
}
