//! Generated modules do what they do in other engines, and on boards what they do on the host.
//!
//! Each run has a fresh seed, which it prints; `WASMBED_SEED` repeats one. Whatever once differed is
//! kept in `corpus/` and tried in each run.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmbed_engine_tests::board::{self, Board};
use wasmbed_engine_tests::campaign::{self, Tally};
use wasmbed_engine_tests::differential::{Case, Finding, compare, read};
use wasmbed_engine_tests::work::Work;

/// Seeds of an ordinary run. Without the second reference building takes much less time than this.
const HOST_SEEDS: u64 = 400;
const BOARD_SEEDS: u64 = 150;

fn seed() -> u64 {
    let given = std::env::var("WASMBED_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.as_millis() as u64
    })
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Keeps what differs, made as small as it can be, and fails.
fn finish(place: &str, first: u64, tally: &Tally, differs: impl Fn(&Case) -> bool) {
    println!("figure: {place}: seed {first}, {} modules, {} calls", tally.modules, tally.calls);
    for (seed, difference) in &tally.differences {
        println!("seed {seed}: {difference}");
        if let Some((entropy_bytes, wasm)) = campaign::smaller(*seed, &differs) {
            let path = corpus().join(format!("{place}-{seed}-{entropy_bytes}.wasm"));
            let _ = std::fs::write(&path, wasm);
            println!("kept as {}", path.display());
        }
    }
    println!("\ncases: {}\n", tally.calls);
    assert!(tally.differences.is_empty(), "{} modules differ", tally.differences.len());
    assert!(tally.modules > 0, "every module was refused: {:?}", tally.refused);
}

#[test]
fn generated_modules_do_what_they_do_in_other_engines() {
    let first = seed();
    let tally = campaign::on_host(first..first + HOST_SEEDS);
    for (reason, count) in &tally.refused {
        println!("refused {count}: {reason}");
    }
    let differs = |case: &Case| matches!(compare(case), Finding::Differ(_));
    finish("host", first, &tally, differs);
}

#[test]
fn generated_modules_do_on_boards_what_they_do_on_the_host() {
    for board in Board::ALL {
        let first = seed();
        let (tally, figures) = campaign::on_board(board, first..first + BOARD_SEEDS)
            .unwrap_or_else(|e| panic!("{e:#}"));
        println!("{figures:?}");
        let differs = |case: &Case| {
            let works = [case.work()];
            let reports = board::run(board, &works);
            reports.is_ok_and(|(reports, _)| campaign::same(&works[0], &reports[0]).is_err())
        };
        finish(board.name(), first, &tally, differs);
    }
}

#[test]
fn what_once_differed_does_so_no_more() {
    let mut works: Vec<Work> = Vec::new();
    for entry in std::fs::read_dir(corpus()).expect("the corpus is a folder").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let wasm = std::fs::read(&path).expect("a module of the corpus can be read");
        let case = read(wasm).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        if let Finding::Differ(difference) = compare(&case) {
            panic!("{}: {difference}", path.display());
        }
        works.push(case.work());
        works.extend((0..12).map(|seed| campaign::disturbed(seed, case.work())));
    }
    for board in Board::ALL {
        let (reports, _) = board::run(board, &works).unwrap_or_else(|error| panic!("{error:#}"));
        for (index, (work, report)) in works.iter().zip(&reports).enumerate() {
            let same = campaign::same(work, report);
            assert!(same.is_ok(), "{}: work {index}: {same:?}", board.name());
        }
    }
    println!("\ncases: {}\n", works.len() * 3);
}
