//! Stack needs of small call graphs.
use super::*;

fn function(slots: u16, calls: &[(u16, u32)]) -> FrameNeeds {
    let call = |&(base, callee)| CallSite { base, callee: Callee::Defined(callee) };
    FrameNeeds { slots, calls: calls.iter().map(call).collect() }
}

#[track_caller]
fn check(functions: &[FrameNeeds], recursion_depth: u32, bytes: u64, has_circle: bool) {
    let needs = stack_bytes(functions, &[0], |_| vec![1], recursion_depth);
    assert_eq!(needs, StackNeed { bytes, has_circle });
}

#[test]
fn a_chain_adds_up_from_where_frames_overlap() {
    check(&[function(3, &[])], 0, 8 + 12, false);
    check(&[function(3, &[(2, 1)]), function(5, &[])], 0, 8 + 8 + 8 + 20, false);
    check(&[function(9, &[(0, 1)]), function(2, &[])], 0, 8 + 36, false);
    check(
        &[function(1, &[(1, 1), (0, 2)]), function(1, &[(1, 2)]), function(1, &[])],
        0,
        8 + 12 + 16,
        false,
    );
}

#[test]
fn a_circle_takes_its_widest_step_as_often_as_is_stated() {
    let circle = [function(2, &[(1, 1)]), function(4, &[(3, 0)])];
    check(&circle, 0, 8 + 16, true);
    check(&circle, 10, 8 + 16 + 10 * 20, true);
    check(&[function(2, &[(1, 0)])], 3, 8 + 8 + 3 * 12, true);
}

#[test]
fn an_indirect_call_reaches_what_its_type_allows() {
    let call = CallSite { base: 1, callee: Callee::Indirect(0) };
    let caller = FrameNeeds { slots: 2, calls: vec![call] };
    check(&[caller, function(7, &[])], 0, 8 + 4 + 8 + 28, false);
}

#[test]
fn a_circle_through_the_table_is_found() {
    let call = CallSite { base: 2, callee: Callee::Indirect(0) };
    let functions = [function(1, &[(1, 1)]), FrameNeeds { slots: 3, calls: vec![call] }];
    check(&functions, 5, 8 + 12 + 12 + 5 * 16, true);
}
