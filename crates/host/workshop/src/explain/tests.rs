//! What is said about modules and images.
use super::*;

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

const BLINK: &str = r#"(module
    (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
    (import "wasmbed" "log" (func $log (param i32 i32)))
    (memory 0)
    (func $blink (call $wait (i32.const 1000)) (call $log (i32.const 0) (i32.const 0)))
    (func (export "run") (loop $again (call $blink) (br $again))))"#;

const PATH: &str = "blink.wasm";

#[test]
fn a_module_is_explained_with_its_own_names() {
    let module = module(BLINK);
    let explained = explain(Path::new(PATH), &module, &GuestLimits::default()).unwrap();
    assert_eq!(explained.capabilities, ["log", "timer"]);
    let text = explained.text();
    let bytes = module.len();
    for expected in [
        format!("module          {bytes} bytes of WebAssembly\n"),
        "import 0        wasmbed.timer_wait_ms".to_owned(),
        "capabilities    log, timer\n".to_owned(),
        "exports         run = function 3\n".to_owned(),
        "recursion       none\n".to_owned(),
        "boards          ".to_owned(),
        "stm32vldiscovery".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected:?} is not in\n{text}");
    }
    let code = explained.disassembly().unwrap();
    assert!(code.contains("function 2 \"blink\""), "{code}");
    assert!(code.contains("; wasm 0x"), "{code}");
    assert_eq!(explained.function_name(2), Some("blink"));
}

#[test]
fn the_bound_of_a_recursion_is_told() {
    let module = module(r#"(module (func $round (export "run") call $round))"#);
    let text = |recursion_depth| {
        let limits = GuestLimits { recursion_depth, ..GuestLimits::default() };
        explain(Path::new(PATH), &module, &limits).unwrap().text()
    };
    assert!(text(7).contains("recursion       7 nested calls, then a trap\n"));
    assert!(!text(0).contains("recursion       none\n"));
}

#[test]
fn an_image_is_explained_without_names() {
    let image = explain(Path::new(PATH), &module(BLINK), &GuestLimits::default()).unwrap().image;
    let explained = explain(Path::new("blink.image"), &image, &GuestLimits::default()).unwrap();
    assert_eq!(explained.capabilities, ["log", "timer"]);
    assert!(!explained.text().contains("WebAssembly"));
    assert!(explained.disassembly().unwrap().contains("function 2: "));
    assert!(explained.fits().iter().all(BoardFit::fits), "{}", explained.fit_text());
}

#[test]
fn what_does_not_fit_is_said_with_the_numbers() {
    let large = module(r#"(module (memory 256) (func (export "run")))"#);
    let text = explain(Path::new(PATH), &large, &GuestLimits::default()).unwrap().fit_text();
    assert!(text.contains("does not fit: 16777"), "{text}");
}

#[test]
fn what_cannot_be_explained_is_refused_by_name() {
    let check = |bytes: &[u8], expected: &str| {
        let error =
            explain(Path::new(PATH), bytes, &GuestLimits::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
    };
    check(b"\x7fELF", "neither a WebAssembly module");
    check(b"\0asm\x01\0\0\0", "exports no function `run` or `_start`");
    check(b"WBIM", "not a sound image");
    check(&module(r#"(module (import "env" "x" (func)) (func (export "run")))"#), "env.x");
}

#[test]
fn changed_files_are_explained_or_refused() {
    let module = module(BLINK);
    let image = explain(Path::new(PATH), &module, &GuestLimits::default()).unwrap().image;
    let mut cases = 0;
    for original in [module, image] {
        for index in 0..original.len() {
            for change in [1, 0x80, 0xff] {
                let mut changed = original.clone();
                changed[index] ^= change;
                if let Ok(explained) = explain(Path::new(PATH), &changed, &GuestLimits::default()) {
                    assert!(!explained.text().is_empty());
                    let _ = explained.disassembly();
                }
                cases += 1;
            }
        }
    }
    println!("\ncases: {cases}\n");
}
