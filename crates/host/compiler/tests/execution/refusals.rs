//! Modules that are not prepared say why, and images that do not fit say by how much.
use wasmbed_abi::Capability;
use wasmbed_compiler::{Budget, DoesNotFit, Options, PrepareError, prepare};

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let error = prepare(&wasm(text), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_missing_is_refused_by_name() {
    let run = |body: &str| {
        format!(r#"(module (memory 1) (table 1 funcref) (func (export "run") {body}))"#)
    };
    let cases = [
        ("(drop (v128.const i32x4 0 0 0 0))", "SIMD (v128.const) is not implemented"),
        ("(return_call 0)", "tail calls (return_call) is not implemented"),
        ("(drop (i32.atomic.load (i32.const 0)))", "threads (i32.atomic_load) is not implemented"),
    ];
    for (body, expected) in cases {
        check(&run(body), expected);
    }
    let module = |fields: &str| format!(r#"(module {fields} (func (export "run")))"#);
    let cases = [
        ("(memory 1) (memory 1)", "multiple memories (a second memory) is not implemented"),
        ("(memory i64 1)", "memory64 (a memory with 64-bit addresses) is not implemented"),
        ("(memory 1 1 shared)", "threads (a shared memory) is not implemented"),
        ("(import \"a\" \"m\" (memory 1))", "import of a memory (a.m) is not implemented"),
        (
            "(table 1 (ref null $t)) (type $t (func))",
            "typed references (a table of them) is not implemented",
        ),
        (
            "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
            "extended constant expressions (an initial value) is not implemented",
        ),
        ("(tag)", "exception handling (a tag) is not implemented"),
    ];
    for (fields, expected) in cases {
        check(&module(fields), expected);
    }
    println!("\ncases: 10\n");
}

#[test]
fn what_is_wrong_is_said() {
    check(
        "(module)",
        "the module exports no function `run` or `_start` without parameters and results",
    );
    check(
        r#"(module (func (export "run") (param i32)))"#,
        "the module exports no function `run` or `_start` without parameters and results",
    );
    check(
        r#"(module (import "env" "abort" (func)) (func (export "run")))"#,
        "no device has the import env.abort",
    );
    check(
        r#"(module (import "wasmbed" "log" (func)) (func (export "run")))"#,
        "the import wasmbed.log has another type: see docs/abi.md",
    );
    check(
        r#"(module (memory 0) (data (i32.const 0) "x") (func (export "run")))"#,
        "a data segment ends at 1, behind the 0 that exist",
    );
    let error = prepare(b"\x7fELF", &Options::default()).unwrap_err();
    assert!(matches!(error, PrepareError::Invalid { .. }));
    let error = prepare(&vec![0; 17 << 20], &Options::default()).unwrap_err();
    assert!(matches!(error, PrepareError::TooLarge { .. }));
    println!("\ncases: 7\n");
}

#[test]
fn recursion_gets_the_depth_that_its_stack_allows() {
    let text = r#"(module (func $f (export "run") (call $f)))"#;
    let depth = |options: Options| {
        let needs = prepare(&wasm(text), &options).unwrap().needs;
        (needs.recursion_depth, needs.stack_bytes)
    };
    // One call takes eight bytes here.
    assert_eq!(depth(Options::default()), (Some(511), 4096));
    let limited = |bytes| Options { stack_bytes_max: Some(bytes), ..Options::default() };
    assert_eq!(depth(limited(100)), (Some(11), 96));
    assert_eq!(depth(limited(1)), (Some(1), 16));
    assert_eq!(depth(Options { recursion_depth: 3, ..Options::default() }), (Some(3), 32));
    let plain = prepare(&wasm(r#"(module (func (export "run")))"#), &Options::default()).unwrap();
    assert_eq!((plain.needs.recursion_depth, plain.needs.stack_bytes), (None, 8));
    println!("\ncases: 5\n");
}

#[test]
fn capabilities_that_were_not_granted_are_refused() {
    let text = r#"(module
        (import "wasmbed" "log" (func (param i32 i32)))
        (import "wasmbed" "telemetry" (func (param i32 i32 i64) (result i32)))
        (func (export "run")))"#;
    let granted = |granted: &[Capability]| {
        prepare(&wasm(text), &Options { granted: Some(granted.to_vec()), ..Options::default() })
    };
    assert_eq!(
        granted(&[Capability::Log, Capability::Clock]),
        Err(PrepareError::CapabilityMissing { name: "telemetry", capability: "telemetry" })
    );
    let prepared = granted(&[Capability::Log, Capability::Telemetry]).unwrap();
    assert_eq!(prepared.needs.capabilities, [Capability::Log, Capability::Telemetry]);
    assert_eq!(prepared.needs.imports, ["log", "telemetry"]);
    println!("\ncases: 3\n");
}

#[test]
fn an_image_fits_exactly_or_says_what_is_too_small() {
    let text = r#"(module (memory 1) (func (export "run")))"#;
    let prepared = prepare(&wasm(text), &Options::default()).unwrap();
    let (image, arena) = (u64::from(prepared.needs.image_bytes), prepared.needs.arena_bytes.into());
    let budget =
        |ram_bytes, image_bytes, runs_from_ram| Budget { ram_bytes, image_bytes, runs_from_ram };
    assert_eq!(prepared.fits(&budget(arena, image, false)), Ok(()));
    assert_eq!(prepared.fits(&budget(arena + image, image, true)), Ok(()));
    for (short, what, needed, available) in [
        (budget(arena - 1, image, false), "RAM", arena, arena - 1),
        (budget(arena, image, true), "RAM", arena + image, arena),
        (budget(arena, image - 1, false), "image storage", image, image - 1),
    ] {
        assert_eq!(prepared.fits(&short), Err(DoesNotFit { what, needed, available }));
    }
    println!("\ncases: 5\n");
}

#[test]
fn preparing_twice_gives_the_same_bytes() {
    for (name, text) in crate::programs::PROGRAMS {
        let first = prepare(&wasm(text), &crate::guest::fixed_options()).unwrap();
        let second = prepare(&wasm(text), &crate::guest::fixed_options()).unwrap();
        assert_eq!(first, second, "{name}");
    }
    println!("\ncases: {}\n", crate::programs::PROGRAMS.len());
}
