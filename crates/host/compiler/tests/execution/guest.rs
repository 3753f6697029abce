//! A prepared module with its arena, called by the names of its exports.
use std::sync::atomic::AtomicBool;
use wasmbed_compiler::{Options, Prepared};
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome, Trap};
use wasmbed_image::Header;
use wasmparser::{Parser, Payload, ValType};

/// Options for modules whose exports are called, however deep and large.
pub fn options() -> Options {
    Options {
        recursion_depth: 300,
        memory_bytes_max: Some(64 << 20),
        table_elements_max: Some(2000),
        needs_entry: false,
        ..Options::default()
    }
}

/// The same with a memory that is quickly cleared.
pub fn small_options() -> Options {
    Options { memory_bytes_max: Some(1 << 20), ..options() }
}

/// The same with a memory that does not grow.
pub fn fixed_options() -> Options {
    Options { memory_bytes_max: None, ..options() }
}

/// How a call ended other than by returning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    Trap(Trap),
    Other(Outcome),
    NoExport,
}

impl Failure {
    /// The trap as the official suite words it.
    pub fn message(self) -> &'static str {
        match self {
            Failure::Trap(Trap::Unreachable) => "unreachable",
            Failure::Trap(Trap::MemoryOutOfBounds) => "out of bounds memory access",
            Failure::Trap(Trap::DivideByZero) => "integer divide by zero",
            Failure::Trap(Trap::IntegerOverflow) => "integer overflow",
            Failure::Trap(Trap::StackExhausted) => "call stack exhausted",
            Failure::Trap(Trap::TableOutOfBounds) => "undefined element",
            Failure::Trap(Trap::UninitializedElement) => "uninitialized element",
            Failure::Trap(Trap::IndirectCallType) => "indirect call type mismatch",
            Failure::Trap(Trap::InvalidConversion) => "invalid conversion to integer",
            _ => "other",
        }
    }
}

/// A host that has no functions.
pub struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
        HostOutcome::Trap
    }
}

pub struct Guest {
    pub prepared: Prepared,
    pub instance: Instance,
    pub arena: Vec<u8>,
    /// Name, defined function, and words of each result of each export.
    exports: Vec<(String, u16, Vec<usize>)>,
}

impl Guest {
    pub fn load(prepared: Prepared, wasm: &[u8]) -> Guest {
        let mut arena = vec![0; prepared.needs.arena_bytes as usize];
        let instance = Instance::load(&prepared.image, &mut arena)
            .unwrap_or_else(|error| panic!("what was prepared does not load: {error:?}"));
        let exports = exports(wasm);
        Guest { prepared, instance, arena, exports }
    }

    /// Runs what the image itself begins with.
    pub fn start(&mut self) -> Result<u64, Failure> {
        self.run()
    }

    pub fn call(&mut self, name: &str, words: &[u32]) -> Result<u64, Failure> {
        let export = self.exports.iter().find(|(export, ..)| export == name);
        let Some((_, function, _)) = export else { return Err(Failure::NoExport) };
        self.instance.invoke(&self.prepared.image, &mut self.arena, *function, words);
        self.run()
    }

    /// The words of the results of the call of this export that has just returned.
    pub fn results(&self, name: &str) -> Vec<u32> {
        let export = self.exports.iter().find(|(export, ..)| export == name);
        match export.map_or(&[][..], |(.., results)| results) {
            [] => Vec::new(),
            [words] => {
                let value = self.instance.result();
                [value as u32, (value >> 32) as u32][..*words].to_vec()
            }
            several => (0..several.iter().sum())
                .map(|index| Instance::result_word(&self.arena, index))
                .collect(),
        }
    }

    /// The linear memory as it is now.
    pub fn memory(&self) -> &[u8] {
        let header = Header::decode(&self.prepared.image).unwrap();
        let begin = header.memory_offset() as usize;
        &self.arena[begin..begin + self.instance.memory_bytes() as usize]
    }

    fn run(&mut self) -> Result<u64, Failure> {
        let stop = AtomicBool::new(false);
        let image = &self.prepared.image;
        match self.instance.run(image, &mut self.arena, &mut NoHost, &mut &stop) {
            Outcome::Finished => Ok(self.instance.result()),
            Outcome::Trapped(trap, _) => Err(Failure::Trap(trap)),
            other => Err(Failure::Other(other)),
        }
    }
}

fn exports(wasm: &[u8]) -> Vec<(String, u16, Vec<usize>)> {
    let mut types = Vec::new();
    let mut functions = Vec::new();
    let mut found = Vec::new();
    let mut imports = 0;
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        match payload {
            Payload::TypeSection(reader) => {
                types.extend(reader.into_iter_err_on_gc_types().flatten());
            }
            Payload::ImportSection(reader) => imports += reader.into_imports().count(),
            Payload::FunctionSection(reader) => functions.extend(reader.into_iter().flatten()),
            Payload::ExportSection(reader) => found.extend(reader.into_iter().flatten()),
            _ => {}
        }
    }
    let words = |result: &ValType| match result {
        ValType::I64 | ValType::F64 => 2,
        _ => 1,
    };
    let defined = found.iter().filter(|export| export.kind == wasmparser::ExternalKind::Func);
    let exports = defined.filter_map(|export| {
        let function = (export.index as usize).checked_sub(imports)?;
        let ty = &types[functions[function] as usize];
        let result = ty.results().iter().map(words).collect();
        Some((export.name.to_owned(), function as u16, result))
    });
    exports.collect()
}
