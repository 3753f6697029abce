//! Names from each place where a module may say them.
use super::*;

#[test]
fn a_function_is_called_as_the_module_calls_it() {
    let module = wat::parse_str(
        r#"(module
            (import "wasmbed" "log" (func $log (param i32 i32)))
            (func $_RNvCs1234_7mycrate3foo)
            (func (export "run") call $_RNvCs1234_7mycrate3foo)
            (func))"#,
    )
    .unwrap();
    let expected = [Some("wasmbed.log"), Some("mycrate::foo"), Some("run")];
    let found = of_functions(&module);
    assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

#[test]
fn damaged_modules_have_fewer_names() {
    let module = wat::parse_str(r#"(module (func $a (export "run")))"#).unwrap();
    for index in 0..module.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = module.clone();
            changed[index] ^= change;
            assert!(of_functions(&changed).len() <= NAMED_FUNCTIONS_MAX);
        }
        assert!(of_functions(&module[..index]).len() <= 1);
    }
}
