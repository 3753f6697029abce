//! Costs of small bodies.
use super::*;
use wasmparser::{Parser, Payload};

#[track_caller]
fn check(body: &str, function: u32, loops: &[u32]) {
    let wasm = wat::parse_str(format!("(module (func (param i32) {body}))")).unwrap();
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let operators: Result<Vec<_>, _> =
                body.get_operators_reader().unwrap().into_iter().collect();
            let costs = count(&operators.unwrap());
            assert_eq!(costs, Costs { function, loops: loops.to_vec() });
        }
    }
}

#[test]
fn operators_count_once_and_shapes_are_free() {
    check("", 1, &[]);
    check("nop (drop (i32.add (local.get 0) (i32.const 1)))", 3, &[]);
    check("(if (local.get 0) (then nop) (else (drop (local.get 0))))", 3, &[]);
}

#[test]
fn a_loop_costs_its_body_with_one_pass_of_inner_loops() {
    check("(loop (br 0))", 1, &[1]);
    check("(loop)", 1, &[1]);
    check("(loop (loop (br_if 0 (local.get 0))) (br_if 0 (local.get 0)))", 4, &[4, 2]);
}

#[test]
fn what_cannot_be_reached_is_free() {
    check("(return) (drop (local.get 0))", 1, &[]);
    check("(block (br 0) (loop (br 0))) (drop (local.get 0))", 2, &[1]);
}
