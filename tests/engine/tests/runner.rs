//! The boards do what the host does, word by word, however they are disturbed.

use wasmbed_compiler::{Options, prepare};
use wasmbed_engine_tests::board::{self, Board};
use wasmbed_engine_tests::host;
use wasmbed_engine_tests::report::{Ending, Report};
use wasmbed_engine_tests::work::{Invocation, Work};

fn work(text: &str, calls: &[(u16, &[u32], u8)]) -> Work {
    let options = Options { needs_entry: false, recursion_depth: 50, ..Options::default() };
    let wasm = wat::parse_str(text).expect("the text is a module");
    let prepared = prepare(&wasm, &options).expect("the module can be prepared");
    let call = |(function, arguments, result_words): &(u16, &[u32], u8)| Invocation {
        function: *function,
        arguments: arguments.to_vec(),
        result_words: *result_words,
        has_several: false,
    };
    Work { image: prepared.image, calls: calls.iter().map(call).collect(), ..Work::default() }
}

const LOOP: &str = "(module (memory 1)
    (func (export \"0\") (param i32) (result i64) (local i64)
        (loop
            (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (i64.const 99)))
            (i64.store (i32.and (local.get 0) (i32.const 0xfff8)) (local.get 1))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
    (func (export \"1\") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export \"2\") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func (export \"3\") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
            (else (i32.add (call 3 (i32.sub (local.get 0) (i32.const 1)))
                           (call 3 (i32.sub (local.get 0) (i32.const 2))))))))";

fn works() -> Vec<Work> {
    let calls: &[(u16, &[u32], u8)] = &[
        (0, &[700], 2),
        (1, &[65_532], 1),
        (1, &[65_533], 1),
        (2, &[0x8000_0000, u32::MAX], 1),
        (2, &[7, 0], 1),
        (2, &[7, 2], 1),
        (3, &[15], 1),
        (3, &[100], 1),
    ];
    let plain = work(LOOP, calls);
    let mut works = vec![plain.clone()];
    for seed in 1..20_u32 {
        let slices = Some((seed * 77_777, [4, 30, 240, 4000][seed as usize % 4]));
        let fuel_limit = seed.is_multiple_of(3).then_some(u64::from(seed) * 17);
        let cuts = Some((u64::from(seed) * 31, u32::MAX));
        works.push(Work { slices, fuel_limit, cuts, alignment: seed % 4 * 4, ..plain.clone() });
    }
    works.push(Work { fuel_limit: Some(1000), ..plain });
    works
}

#[test]
fn boards_and_host_report_the_same() {
    let works = works();
    let here: Vec<Report> = works.iter().map(host::run).collect();
    let endings: Vec<Ending> = here[0].calls.iter().map(|call| call.ending).collect();
    assert!(endings[4].is_trap(wasmbed_engine::Trap::IntegerOverflow), "{endings:?}");
    for report in &here[..20] {
        for (call, plain) in report.calls.iter().zip(&here[0].calls) {
            assert_eq!((call.ending, &call.results), (plain.ending, &plain.results));
        }
        assert_eq!(report.end, here[0].end);
    }
    for board in Board::ALL {
        let (there, figures) =
            board::run(board, &works).unwrap_or_else(|error| panic!("{error:#}"));
        for (index, (there, here)) in there.iter().zip(&here).enumerate() {
            assert_eq!(there, here, "{}: item {index}", board.name());
        }
        println!("{}: {figures:?}", board.name());
        assert!(figures.slices > 1000, "too few slices");
    }
    println!("\ncases: {}\n", works.len() * 2);
}
