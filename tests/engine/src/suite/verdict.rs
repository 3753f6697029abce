//! Holds what a subject did against what is expected of it.

use super::{Expected, Subject};
use crate::report::{CallReport, Ending, Report, Trouble};
use wasmbed_engine::Trap;

/// What became of a subject's assertions.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Assertions that held.
    pub passed: u32,
    /// Those that did not: line and what was wrong.
    pub failures: Vec<(usize, String)>,
    /// Those that the place has no room for.
    pub skipped: Vec<(usize, String)>,
}

/// Judges a report. An instantiation is an assertion only where the script makes it one.
pub fn judge(subject: &Subject, report: &Report) -> Verdict {
    let mut verdict = Verdict::default();
    let all = || subject.calls.iter().map(|call| call.line);
    match &report.trouble {
        Some(Trouble::TooLarge { arena_bytes }) => {
            let reason = format!("an arena of {arena_bytes} bytes");
            verdict.skipped.extend(all().map(|line| (line, reason.clone())));
            return verdict;
        }
        Some(trouble) => {
            verdict.failures.push((subject.line, format!("{trouble:?} after {:?}", report.calls)));
            return verdict;
        }
        None => {}
    }
    if let Some(refused) = report.refused {
        let is_expected = matches!(subject.start, Expected::Trap(_));
        match is_expected {
            true => verdict.passed += 1,
            false => verdict.failures.push((subject.line, format!("not loaded: {refused:?}"))),
        }
        return verdict;
    }
    let starts = [(subject.line, &subject.start)];
    let calls = subject.calls.iter().map(|call| (call.line, &call.expected));
    for (index, (line, expected)) in starts.into_iter().chain(calls).enumerate() {
        let Some(call) = report.calls.get(index) else {
            verdict.failures.push((line, "nothing was recorded".to_owned()));
            continue;
        };
        match check(expected, call) {
            Ok(()) if index == 0 && *expected == Expected::Return => {}
            Ok(()) => verdict.passed += 1,
            Err(message) => verdict.failures.push((line, message)),
        }
    }
    verdict
}

fn check(expected: &Expected, call: &CallReport) -> Result<(), String> {
    let holds = match (expected, call.ending) {
        (Expected::Return, ending) => ending == Ending::Finished,
        (Expected::Results(words), Ending::Finished) => {
            words.len() == call.results.len()
                && words.iter().zip(&call.results).all(|(word, result)| word.matches(*result))
        }
        (Expected::Trap(message), Ending::Trapped(trap, ..)) => {
            messages(trap).iter().any(|of| of.starts_with(message) || message.starts_with(of))
        }
        (Expected::Exhaustion, ending) => ending.is_trap(Trap::StackExhausted),
        _ => false,
    };
    if holds {
        return Ok(());
    }
    Err(format!("expected {expected:x?}, got {:?} {:x?}", call.ending, call.results))
}

/// How the suite words a trap.
fn messages(trap: u32) -> &'static [&'static str] {
    const WORDS: [&[&str]; 12] = [
        &[],
        &["unreachable"],
        &["out of bounds memory access"],
        &["integer divide by zero"],
        &["integer overflow"],
        &["call stack exhausted"],
        &["undefined element", "out of bounds table access"],
        &["uninitialized element"],
        &["indirect call type mismatch"],
        &[],
        &[],
        &["invalid conversion to integer"],
    ];
    WORDS.get(trap as usize).copied().unwrap_or(&[])
}
