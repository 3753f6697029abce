//! Generated modules, executed here and by other engines: results, traps, globals and memory are
//! equal.
//!
//! Leaves out fuel, whose unit differs; host and board compare that with each other.

mod canonical;
mod case;
mod wasmi_reference;
#[cfg(feature = "wasmtime")]
mod wasmtime_reference;

pub use case::{Case, CaseCall, Random, exports, generate, module, read};

use crate::report::{CallReport, Ending, Report};
use wasmbed_engine::Trap;
use wasmparser::ValType;

/// What an engine was seen to do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// The instantiation, then each call; ends early if the instantiation failed.
    pub calls: Vec<Seen>,
    /// The linear memory at the end.
    pub memory: Vec<u8>,
}

/// How a call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// It returned these words; a reference is 0 for null and 1 otherwise.
    Returned(Vec<u32>),
    /// It trapped: the number of [`Trap`].
    Trapped(u32),
    /// The engine gave up: its stack or patience is bounded in its own way.
    GaveUp(String),
}

/// What a comparison found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// All calls agree.
    Agree {
        /// Calls that were compared.
        calls: u32,
        /// Of these, calls that returned.
        returned: u32,
        /// Fuel that all of them used.
        fuel: u64,
        /// References that were asked.
        references: u32,
    },
    /// Something differs.
    Differ(String),
}

/// Does a case on the host, and compares with the references.
pub fn compare(case: &Case) -> Finding {
    let (report, memory) = crate::host::execute_with_memory(&case.work());
    let fuel = report.calls.last().map_or(0, |call| call.fuel);
    let ours = observe(case, &report, memory);
    let mut references = 0;
    for (name, theirs) in references_of(case) {
        let Some(theirs) = theirs else { continue };
        references += 1;
        if let Some(difference) = difference(case, &ours, &theirs) {
            return Finding::Differ(format!("{name}: {difference}"));
        }
    }
    let returned =
        ours.calls.iter().filter(|seen| matches!(seen, Seen::Returned(_))).count() as u32;
    Finding::Agree { calls: ours.calls.len() as u32, returned, fuel, references }
}

fn references_of(case: &Case) -> Vec<(&'static str, Option<Observed>)> {
    vec![
        #[cfg(feature = "wasmtime")]
        ("wasmtime", wasmtime_reference::observe(case)),
        ("wasmi", wasmi_reference::observe(case)),
    ]
}

/// What a report says, in the words of all engines.
pub fn observe(case: &Case, report: &Report, memory: Vec<u8>) -> Observed {
    if let Some(trouble) = &report.trouble {
        return Observed { calls: vec![Seen::GaveUp(format!("{trouble:?}"))], memory };
    }
    if let Some(refused) = report.refused {
        return Observed { calls: vec![Seen::GaveUp(format!("not loaded: {refused:?}"))], memory };
    }
    let mut calls = Vec::new();
    for (index, call) in report.calls.iter().enumerate() {
        let kinds = index.checked_sub(1).map_or(&[][..], |index| &case.calls[index].kinds);
        calls.push(seen(call, kinds));
    }
    if !matches!(calls.first(), Some(Seen::Returned(_))) {
        calls.truncate(1);
    }
    Observed { calls, memory }
}

fn seen(call: &CallReport, kinds: &[ValType]) -> Seen {
    match call.ending {
        Ending::Finished => {
            let mut words = Vec::new();
            let mut rest = call.results.iter();
            for kind in kinds {
                let length = crate::suite::spectest::words(*kind);
                let value = rest.by_ref().take(length).copied();
                match kind {
                    ValType::Ref(_) => words.extend(value.map(|word| u32::from(word != 0))),
                    _ => words.extend(value),
                }
            }
            Seen::Returned(words)
        }
        Ending::Trapped(trap, ..) => Seen::Trapped(trap),
        other => Seen::GaveUp(format!("{other:?}")),
    }
}

/// The first thing that differs. Each call has fuel of its own in the module, which bounds the depth
/// of its calls, so here no call may give up; a reference may.
fn difference(case: &Case, ours: &Observed, theirs: &Observed) -> Option<String> {
    for (index, seen) in ours.calls.iter().enumerate() {
        let name = || match index.checked_sub(1).and_then(|index| case.calls.get(index)) {
            Some(call) => format!("{} with {:x?}", call.name, call.arguments),
            None => "instantiation".to_owned(),
        };
        if let Seen::GaveUp(why) = seen {
            return Some(format!("{}: gave up: {why}", name()));
        }
        if *seen == Seen::Trapped(Trap::StackExhausted as u32) {
            return Some(format!("{}: the stack is exhausted", name()));
        }
        match theirs.calls.get(index) {
            Some(Seen::GaveUp(_)) => return None,
            Some(there) if there == seen => {}
            there => return Some(format!("{}: {seen:x?}, there {there:x?}", name())),
        }
    }
    if ours.calls.len() != theirs.calls.len() {
        return Some(format!("{} calls, there {}", ours.calls.len(), theirs.calls.len()));
    }
    if matches!(ours.calls.as_slice(), [Seen::Trapped(_)]) {
        // An instance that was never made has no memory.
        return None;
    }
    if ours.memory != theirs.memory {
        let at = ours.memory.iter().zip(&theirs.memory).position(|(ours, theirs)| ours != theirs);
        let lengths = (ours.memory.len(), theirs.memory.len());
        return Some(format!("memory differs at {at:?}, lengths {lengths:?}"));
    }
    None
}
