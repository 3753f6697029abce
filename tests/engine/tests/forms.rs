//! Random programs that are made of every form of instruction do on the board what they do on the
//! host: each template of the assembly core against the executor in Rust.
#[path = "../../../crates/host/compiler/tests/execution/generator.rs"]
mod generator;

use wasmbed_compiler::{Options, prepare};
use wasmbed_engine_tests::board::{self, Board};
use wasmbed_engine_tests::host;
use wasmbed_engine_tests::work::{Invocation, Work};

/// Programs in an ordinary run: as many as reach every row of the first page on the host.
const PROGRAMS: u64 = 150;

/// Fuel of one call: enough for all but a few programs, which then end there on both sides.
const FUEL: u64 = 100_000;

fn work(seed: u64) -> Work {
    let text = generator::program(seed);
    let wasm = wat::parse_str(&text).expect("the text is a module");
    let options = Options { needs_entry: false, recursion_depth: 30, ..Options::default() };
    let prepared = prepare(&wasm, &options).expect("the module can be prepared");
    let mut calls = Vec::new();
    for export in &prepared.exports {
        for arguments in [[1, 2, 0, 3], [u32::MAX, 0, 0x8000_0000, 7], [0, 7, 0, 0xffff]] {
            calls.push(Invocation {
                function: export.function as u16,
                arguments: arguments.to_vec(),
                result_words: 1,
                has_several: false,
            });
        }
    }
    Work { image: prepared.image, calls, fuel_limit: Some(FUEL), ..Work::default() }
}

#[test]
fn every_form_does_on_the_board_what_it_does_on_the_host() {
    let works: Vec<Work> = (0..PROGRAMS).map(work).collect();
    let (reports, _) = match board::run(Board::Mps2An385, &works) {
        Ok(found) => found,
        Err(error) => panic!("{error}"),
    };
    let mut cases = 0;
    for (seed, (work, there)) in works.iter().zip(&reports).enumerate() {
        assert_eq!(*there, host::run(work), "program {seed}");
        cases += work.calls.len();
    }
    println!("\ncases: {cases}\n");
}
