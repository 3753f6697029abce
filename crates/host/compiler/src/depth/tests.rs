//! Stack needs of small call graphs.
use super::*;

fn function(slots: u16, calls: &[(u16, u32)]) -> FrameNeeds {
    let call = |&(base, callee)| CallSite { base, callee: Callee::Defined(callee) };
    FrameNeeds { slots, calls: calls.iter().map(call).collect() }
}

#[track_caller]
fn check(functions: &[FrameNeeds], recursion_depth: u32, expected: Option<u64>) {
    let needs = stack_bytes(functions, &[0], |_| vec![1], recursion_depth);
    assert_eq!(needs.ok(), expected);
}

#[test]
fn a_chain_adds_up_from_where_frames_overlap() {
    check(&[function(3, &[])], 0, Some(8 + 12));
    check(&[function(3, &[(2, 1)]), function(5, &[])], 0, Some(8 + 8 + 8 + 20));
    check(&[function(9, &[(0, 1)]), function(2, &[])], 0, Some(8 + 36));
    check(
        &[function(1, &[(1, 1), (0, 2)]), function(1, &[(1, 2)]), function(1, &[])],
        0,
        Some(8 + 12 + 16),
    );
}

#[test]
fn a_circle_needs_a_stated_depth() {
    let circle = [function(2, &[(1, 1)]), function(4, &[(3, 0)])];
    check(&circle, 0, None);
    check(&circle, 10, Some(8 + 16 + 10 * 20));
    check(&[function(2, &[(1, 0)])], 3, Some(8 + 8 + 3 * 12));
}

#[test]
fn an_indirect_call_reaches_what_its_type_allows() {
    let call = CallSite { base: 1, callee: Callee::Indirect(0) };
    let caller = FrameNeeds { slots: 2, calls: vec![call] };
    check(&[caller, function(7, &[])], 0, Some(8 + 4 + 8 + 28));
}

#[test]
fn a_circle_through_the_table_is_found() {
    let call = CallSite { base: 2, callee: Callee::Indirect(0) };
    let functions = [function(1, &[(1, 1)]), FrameNeeds { slots: 3, calls: vec![call] }];
    check(&functions, 0, None);
    check(&functions, 5, Some(8 + 12 + 12 + 5 * 16));
    let error = stack_bytes(&functions, &[0], |_| vec![1], 0);
    assert_eq!(error, Err(PrepareError::Recursion { function: 1 }));
}
