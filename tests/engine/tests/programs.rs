//! Whole programs in the assembly core against the portable executor: in slices of any length, and
//! with fuel that runs out anywhere and then goes on. Results, memory, fuel and places are equal.
//!
//! The measured programs of `benches/engine` are tried as well where `WASMBED_BENCH_PROGRAMS` has them.
#[path = "../../../crates/host/compiler/tests/execution/programs.rs"]
mod programs;

use std::path::Path;
use wasmbed_compiler::{Options, prepare};
use wasmbed_engine_tests::board::{self, Board};
use wasmbed_engine_tests::differential::exports;
use wasmbed_engine_tests::host;
use wasmbed_engine_tests::report::Report;
use wasmbed_engine_tests::suite::spectest::words;
use wasmbed_engine_tests::work::{Invocation, Work};

/// Places where fuel runs out, for each program.
const CUTS: u64 = 40;
/// More than any of the programs uses, so that fuel is counted.
const PLENTY: u64 = 1 << 60;
/// Longest slices of each series, in ticks of the board's timer, 1.6 to an instruction; the first
/// ones are shorter than most handlers.
const SLICES_SMALL: &[u32] = &[40, 800, 3_200, 4_800, 8_000, 32_000];
/// The same for measured programs, which take longer.
const SLICES_LARGE: &[u32] = &[4_800, 32_000];

struct Program {
    name: String,
    /// What is run, without limits.
    work: Work,
    slices: &'static [u32],
}

fn program(name: &str, wasm: &[u8], export: &str, arguments: &[u32]) -> Program {
    let options = Options { recursion_depth: 300, needs_entry: false, ..Options::default() };
    let prepared = prepare(wasm, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
    let found = exports(wasm).into_iter().find(|found| found.name == export);
    let found = found.unwrap_or_else(|| panic!("{name} does not export {export}"));
    let call = Invocation {
        function: found.function,
        arguments: arguments.to_vec(),
        result_words: found.kinds.iter().map(|kind| words(*kind)).sum::<usize>() as u8,
        has_several: found.kinds.len() > 1,
    };
    let work = Work { image: prepared.image, calls: vec![call], ..Work::default() };
    Program { name: name.to_owned(), work, slices: SLICES_SMALL }
}

/// The small programs, and those that are measured, if they were built on this machine.
fn all() -> Vec<Program> {
    let small = |(name, text): &(&str, &str)| {
        let wasm = wat::parse_str(text).expect("the text is a module");
        program(name, &wasm, "main", &[])
    };
    let mut all: Vec<Program> = programs::PROGRAMS.iter().map(small).collect();
    let Some(folder) = std::env::var_os("WASMBED_BENCH_PROGRAMS") else { return all };
    for (name, arguments) in [
        ("fib", [20, 0]),
        ("sieve", [4, 8192]),
        ("crc32", [8, 4096]),
        ("matmul", [8, 24]),
        ("sha256", [2, 4096]),
        ("i64mix", [20_000, 1]),
        ("coremark", [1, 1]),
        ("f32mandel", [16, 32]),
    ] {
        let path = Path::new(&folder).join(format!("{name}.wasm"));
        let Ok(wasm) = std::fs::read(path) else { continue };
        let measured = program(name, &wasm, "program", &arguments);
        all.push(Program { slices: SLICES_LARGE, ..measured });
    }
    all
}

/// A program's work, undisturbed and disturbed in every way, each with what it is.
fn works(program: &Program) -> Vec<(String, Work)> {
    let plain = &program.work;
    let metered = Work { fuel_limit: Some(PLENTY), ..plain.clone() };
    let fuel = host::run(&metered).calls.last().map_or(0, |call| call.fuel);
    assert!(fuel > CUTS, "{} uses {fuel} fuel, too little to cut", program.name);
    let mut works = vec![("whole".to_owned(), plain.clone())];
    works.push(("metered".to_owned(), metered.clone()));
    for (index, longest) in program.slices.iter().enumerate() {
        // By the parity of the seed the other interrupt comes before the end of a slice, or after it.
        let slices = Some((0x9e37_79b9_u32.rotate_left(index as u32 * 7) | 1, *longest));
        works.push((format!("slices up to {longest}"), Work { slices, ..plain.clone() }));
        let slices = slices.map(|(seed, longest)| (seed ^ 2, longest));
        let what = format!("slices up to {longest}, metered");
        works.push((what, Work { slices, ..metered.clone() }));
    }
    for index in 0..CUTS {
        let limit = fuel * index / CUTS;
        let longest = program.slices.last().copied().unwrap_or(1);
        let slices = (index % 2 == 1).then_some((1 + index as u32 * 2, longest));
        let cut = Work { fuel_limit: Some(limit), slices, ..plain.clone() };
        works.push((
            format!("cut at {limit}, and finished"),
            Work { cuts: Some((PLENTY, 1)), ..cut.clone() },
        ));
        works.push((format!("cut at {limit}"), cut));
    }
    works
}

/// What must be as if nothing had disturbed the program: all but fuel, and where it ran out.
fn undisturbed(report: &Report) -> impl PartialEq + std::fmt::Debug + use<> {
    let calls: Vec<_> =
        report.calls.iter().map(|call| (call.ending, call.results.clone())).collect();
    (report.refused, calls, report.end, report.trouble.clone())
}

#[test]
fn programs_do_on_boards_what_they_do_on_the_host_however_they_are_disturbed() {
    let programs = all();
    let mut names = Vec::new();
    let mut all = Vec::new();
    for program in &programs {
        for (what, work) in works(program) {
            names.push(format!("{}, {what}", program.name));
            all.push(work);
        }
    }
    let here: Vec<Report> = all.iter().map(host::run).collect();
    let mut whole = &here[0];
    for ((report, work), name) in here.iter().zip(&all).zip(&names) {
        if work.fuel_limit.is_none() && work.slices.is_none() {
            whole = report;
        }
        if work.fuel_limit.is_none_or(|limit| limit == PLENTY || work.cuts.is_some()) {
            assert_eq!(undisturbed(report), undisturbed(whole), "{name}");
        }
    }
    for board in Board::ALL {
        let (there, figures) = board::run(board, &all).unwrap_or_else(|error| panic!("{error:#}"));
        for ((there, here), name) in there.iter().zip(&here).zip(&names) {
            assert_eq!(there, here, "{}: {name}", board.name());
        }
        println!("{}: {figures:?}", board.name());
        assert!(figures.slices_in_core > 1000, "too few slices end in the innermost loop");
        assert!(figures.slices_in_handler > 0, "no slice ends in another interrupt's handler");
    }
    println!("\ncases: {}\n", all.len() * Board::ALL.len());
}
