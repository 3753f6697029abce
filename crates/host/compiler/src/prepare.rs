//! Puts an image together: lowered functions, table, globals, data, and what they need.
use crate::depth::{Callee, FrameNeeds, stack_bytes};
use crate::error::{DoesNotFit, PrepareError};
use crate::limits::{RECURSION_DEPTH_MAX, RECURSION_DEPTH_MIN, RECURSION_STACK_BYTES};
use crate::lower::{Lowered, lower};
use crate::module::{Export, Module, Signature};
use sha2::{Digest, Sha256};
use wasmbed_abi::Capability;
use wasmbed_engine::limits::WINDOW_BYTES;
use wasmbed_engine::{FunctionHeader, Opcode};
use wasmbed_image::limits::{CODE_BYTES_MAX, FUNCTIONS_MAX};
use wasmbed_image::{FORMAT_LOWERED_V1, FunctionRecord, Header, NO_FUNCTION};

mod sections;

use sections::Sections;

/// What an author or operator decides about preparing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Calls that may be nested within a circle of calls; more of them trap. With 0 it is as many as
    /// fit into `stack_bytes_max`, and into 4 KB where that is not stated either.
    pub recursion_depth: u32,
    /// Stack that calls in a circle may fill, in bytes. A module without one has its exact need.
    pub stack_bytes_max: Option<u32>,
    /// Linear memory that `memory.grow` may reach, in bytes. Without it, memory does not grow.
    pub memory_bytes_max: Option<u32>,
    /// Elements that `table.grow` may reach in each table. Without it, a table grows to the maximum
    /// that it declares if that is at most 256, and else not at all.
    pub table_elements_max: Option<u32>,
    /// What the application was granted; without it, every import is allowed.
    pub granted: Option<Vec<Capability>>,
    /// Whether the module must export an entry. Tests that call exports do without.
    pub needs_entry: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            recursion_depth: 0,
            stack_bytes_max: None,
            memory_bytes_max: None,
            table_elements_max: None,
            granted: None,
            needs_entry: true,
        }
    }
}

/// What a prepared image needs, exactly. All sizes are in bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Needs {
    /// The whole image.
    pub image_bytes: u32,
    /// The code section.
    pub code_bytes: u32,
    /// Data segments, with their heads.
    pub data_bytes: u32,
    /// Frames and return addresses of the deepest chain of calls.
    pub stack_bytes: u32,
    /// Linear memory at the start.
    pub memory_bytes: u32,
    /// Linear memory that is reserved for growing, the initial one included.
    pub memory_bytes_max: u32,
    /// Global variables.
    pub global_bytes: u32,
    /// Tables that change, as long as they may become, and which segments were dropped.
    pub state_bytes: u32,
    /// RAM beside the image: stack, globals, tables and reserved memory.
    pub arena_bytes: u32,
    /// Calls within a circle of calls that the stack has room for, if there is a circle.
    pub recursion_depth: Option<u32>,
    /// Functions that the module defines.
    pub functions: u32,
    /// Elements of the table that is read in the image.
    pub table_elements: u32,
    /// Names of the imports.
    pub imports: Vec<&'static str>,
    /// Capabilities that the imports need, in the order of their numbers.
    pub capabilities: Vec<Capability>,
}

/// What a device has room for, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// RAM for guests: the image, where it is executed from RAM, and its arena.
    pub ram_bytes: u64,
    /// Storage of one image.
    pub image_bytes: u64,
    /// Whether the image is copied to RAM to be executed.
    pub runs_from_ram: bool,
}

/// A module made ready for devices.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prepared {
    /// The image body.
    pub image: Vec<u8>,
    /// SHA-256 of the image body.
    pub digest: [u8; 32],
    /// What it needs.
    pub needs: Needs,
    /// Exported functions.
    pub exports: Vec<Export>,
    /// For each stretch of code: its offset in the code section, and the offset of the operator
    /// that it came from in the WebAssembly module. Ascending.
    pub source: Vec<(u32, u32)>,
}

impl Prepared {
    /// Checks whether a device has room for the image.
    ///
    /// # Errors
    /// [`DoesNotFit`] names what is too small, with the numbers.
    pub fn fits(&self, budget: &Budget) -> Result<(), DoesNotFit> {
        let check = |what, needed: u64, available: u64| {
            if needed <= available { Ok(()) } else { Err(DoesNotFit { what, needed, available }) }
        };
        check("image storage", self.needs.image_bytes.into(), budget.image_bytes)?;
        let image_bytes = if budget.runs_from_ram { self.needs.image_bytes } else { 0 };
        check("RAM", u64::from(self.needs.arena_bytes) + u64::from(image_bytes), budget.ram_bytes)
    }

    /// Offset in the WebAssembly module of the operator that made the code at `code_offset`.
    pub fn source_offset(&self, code_offset: u32) -> Option<u32> {
        let behind = self.source.partition_point(|(code, _)| *code <= code_offset);
        self.source.get(behind.checked_sub(1)?).map(|(_, wasm)| *wasm)
    }
}

/// Makes an image of a WebAssembly module.
///
/// # Errors
/// [`PrepareError`] says what is wrong with the module, or names what is missing here.
pub fn prepare(wasm: &[u8], options: &Options) -> Result<Prepared, PrepareError> {
    let mut module = Module::parse(wasm)?;
    check_grants(&module, options)?;
    let entry = module.entry();
    if options.needs_entry && entry.is_none() {
        return Err(PrepareError::NoEntry);
    }
    let [entry, start] = [entry, module.start]
        .map(|function| function.map_or(NO_FUNCTION, |function| module.number(function)));
    let mut code = Code::default();
    for (index, body) in module.bodies.iter().enumerate() {
        let function = (module.imports.len() + index) as u32;
        let type_number = module.type_number(module.signature(function)?);
        code.append(lower(&module, function, body)?, type_number)?;
    }
    for import in &module.references.thunks {
        let signature = module.signature(*import)?;
        code.append(thunk(*import, signature), module.type_number(signature))?;
    }
    if let Some(error) = module.beyond {
        return Err(error);
    }
    code.bytes.extend([0; WINDOW_BYTES - 1]);
    if code.bytes.len() as u64 > CODE_BYTES_MAX.into() {
        let what = "bytes of code";
        return Err(PrepareError::limit(what, code.bytes.len() as u64, CODE_BYTES_MAX.into()));
    }
    code.connect();
    let sections = Sections::of(&module, options.table_elements_max)?;
    let stack = stack_need(&module, options, &code, &sections, [entry, start])?;
    assemble(&module, options, code, &sections, [entry, start], stack)
}

fn check_grants(module: &Module<'_>, options: &Options) -> Result<(), PrepareError> {
    let Some(granted) = &options.granted else { return Ok(()) };
    for import in &module.imports {
        if let Some(capability) = import.capability
            && !granted.contains(&capability)
        {
            return Err(PrepareError::capability(import.name, capability));
        }
    }
    Ok(())
}

/// Functions that were lowered, one behind the other.
#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    records: Vec<FunctionRecord>,
    needs: Vec<FrameNeeds>,
    source: Vec<(u32, u32)>,
    /// Offset of each direct call, and the defined function that it calls.
    call_places: Vec<(u32, u32)>,
}

impl Code {
    /// Writes the distances of direct calls, now that every function has its place.
    fn connect(&mut self) {
        for (at, callee) in &self.call_places {
            let target = self.records[*callee as usize].code_offset;
            let [low, middle, high, _] = target.wrapping_sub(*at).to_le_bytes();
            let at = *at as usize;
            let is_wide = self.bytes[at] == Opcode::CallWide as u8;
            let distance_at = if is_wide { at + 3 } else { at + 2 };
            self.bytes[distance_at..distance_at + 3].copy_from_slice(&[low, middle, high]);
        }
    }

    fn append(&mut self, function: Lowered, type_number: u32) -> Result<u16, PrepareError> {
        let number = self.records.len() as u64;
        if number >= FUNCTIONS_MAX.into() {
            return Err(PrepareError::limit("functions", number, FUNCTIONS_MAX.into()));
        }
        let types_max = u64::from(FunctionRecord::TYPES_MAX) - 1;
        if u64::from(type_number) > types_max {
            return Err(PrepareError::limit("types", type_number.into(), types_max));
        }
        let code_offset = self.bytes.len() as u32;
        self.records.push(FunctionRecord { code_offset, type_number: type_number as u16 });
        self.bytes.extend(&function.code);
        self.needs.push(function.needs);
        let shifted = function.source.iter().map(|(at, wasm)| (at + code_offset, *wasm));
        self.source.extend(shifted);
        let shifted = function.call_places.iter().map(|(at, callee)| (at + code_offset, *callee));
        self.call_places.extend(shifted);
        Ok(number as u16)
    }
}

/// A function that passes its arguments on to an import.
fn thunk(import: u32, signature: &Signature) -> Lowered {
    let slots = signature.param_words();
    let header = FunctionHeader { slots, cost: 1 };
    let mut code = header.encode().to_vec();
    code.push(Opcode::CallHost as u8);
    code.extend((import as u16).to_le_bytes());
    code.extend([0; 2]);
    code.push(Opcode::Return as u8);
    Lowered {
        code,
        needs: FrameNeeds { slots, calls: Vec::new() },
        call_places: Vec::new(),
        source: Vec::new(),
    }
}

/// What the stack must have room for.
#[derive(Clone, Copy)]
struct Stack {
    bytes: u32,
    /// 0 where no calls go in a circle.
    recursion_depth: u32,
}

fn stack_need(
    module: &Module<'_>,
    options: &Options,
    code: &Code,
    sections: &Sections,
    first: [u16; 2],
) -> Result<Stack, PrepareError> {
    let mut roots: Vec<u32> =
        first.into_iter().filter(|number| *number != NO_FUNCTION).map(u32::from).collect();
    if !options.needs_entry {
        let imports = module.imports.len() as u32;
        let exported = module.exports.iter();
        roots.extend(exported.filter_map(|export| export.function.checked_sub(imports)));
        roots.extend(module.references.functions.iter().map(|number| u32::from(*number)));
    }
    let fixed: Vec<u16> =
        sections.fixed_table.chunks_exact(2).map(|n| u16::from_le_bytes([n[0], n[1]])).collect();
    let targets = |callee: Callee| {
        let has_type = |number: &u16, type_number: u32| {
            let record = code.records.get(usize::from(*number));
            record.is_some_and(|record| u32::from(record.type_number) == type_number)
        };
        let mut targets: Vec<u32> = match callee {
            Callee::Defined(function) => vec![function],
            Callee::Indirect(ty) => {
                fixed.iter().filter(|n| has_type(n, ty)).map(|n| (*n).into()).collect()
            }
            Callee::Reference(ty) => {
                let functions = module.references.functions.iter();
                functions.filter(|n| has_type(n, ty)).map(|n| (*n).into()).collect()
            }
        };
        targets.sort_unstable();
        targets.dedup();
        targets
    };
    let needed = |depth: u32| stack_bytes(&code.needs, &roots, targets, depth);
    let recursion_depth = match needed(1).has_circle {
        true => recursion_depth(options, |depth| needed(depth).bytes),
        false => 0,
    };
    let bytes = needed(recursion_depth).bytes;
    match i32::try_from(bytes) {
        Ok(bytes) => Ok(Stack { bytes: bytes.cast_unsigned(), recursion_depth }),
        Err(_) => Err(PrepareError::limit("bytes of stack", bytes, i32::MAX as u64)),
    }
}

/// The stated depth, or the greatest whose stack is within the limit.
fn recursion_depth(options: &Options, bytes: impl Fn(u32) -> u64) -> u32 {
    if options.recursion_depth != 0 {
        return options.recursion_depth.min(RECURSION_DEPTH_MAX);
    }
    let (bytes_max, mut least) = match options.stack_bytes_max {
        Some(bytes_max) => (bytes_max, 1),
        None => (RECURSION_STACK_BYTES, RECURSION_DEPTH_MIN),
    };
    let mut most = RECURSION_DEPTH_MAX;
    while least < most {
        let middle = least + (most - least).div_ceil(2);
        if bytes(middle) <= bytes_max.into() {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}

fn assemble(
    module: &Module<'_>,
    options: &Options,
    code: Code,
    sections: &Sections,
    [entry, start]: [u16; 2],
    stack: Stack,
) -> Result<Prepared, PrepareError> {
    let (memory_bytes, memory_bytes_max, has_byte_pages) = memory_sizes(module, options)?;
    let mut header = sections.describe(Header {
        format: FORMAT_LOWERED_V1,
        has_byte_pages,
        code_bytes: code.bytes.len() as u32,
        functions: code.records.len() as u16,
        imports: module.imports.len() as u16,
        memory_bytes,
        memory_bytes_max,
        stack_bytes: stack.bytes,
        entry,
        start,
        recursion_depth: stack.recursion_depth as u16,
        ..Header::default()
    });
    // The verifier marks instructions in the arena, one bit for each byte of code.
    let scratch_bytes = u64::from(header.code_bytes).div_ceil(8);
    if header.arena_bytes() < scratch_bytes {
        header.stack_bytes += (scratch_bytes - header.arena_bytes()).next_multiple_of(4) as u32;
    }
    let mut image = header.encode().to_vec();
    image.extend(module.imports.iter().flat_map(|import| import.number.to_le_bytes()));
    image.extend(code.records.iter().flat_map(|record| record.encode().to_le_bytes()));
    image.extend(sections.bytes());
    image.extend(&code.bytes);
    let needs = needs(module, &header, image.len() as u32);
    Ok(Prepared {
        digest: Sha256::digest(&image).into(),
        image,
        needs,
        exports: module.exports.clone(),
        source: code.source,
    })
}

fn needs(module: &Module<'_>, header: &Header, image_bytes: u32) -> Needs {
    let capabilities = Capability::ALL.into_iter();
    let uses = |capability: &Capability| {
        module.imports.iter().any(|import| import.capability == Some(*capability))
    };
    Needs {
        image_bytes,
        code_bytes: header.code_bytes,
        data_bytes: header.data_bytes,
        stack_bytes: header.stack_bytes,
        memory_bytes: header.memory_bytes,
        memory_bytes_max: header.memory_bytes_max,
        global_bytes: u32::from(header.global_words) * 4,
        state_bytes: header.state_words * 4,
        recursion_depth: Some(header.recursion_depth.into()).filter(|depth| *depth != 0),
        arena_bytes: header.arena_bytes().min(u32::MAX.into()) as u32,
        functions: module.bodies.len() as u32,
        table_elements: header.table_elements.into(),
        imports: module.imports.iter().map(|import| import.name).collect(),
        capabilities: capabilities.filter(uses).collect(),
    }
}

/// Initial and reserved memory, and whether its pages are single bytes.
fn memory_sizes(module: &Module<'_>, options: &Options) -> Result<(u32, u32, bool), PrepareError> {
    let Some(memory) = module.memory else { return Ok((0, 0, true)) };
    let Ok(initial) = u32::try_from(memory.bytes) else {
        return Err(PrepareError::limit("bytes of memory", memory.bytes, u32::MAX.into()));
    };
    let declared = memory.bytes_max.unwrap_or(u64::MAX);
    let allowed = options.memory_bytes_max.unwrap_or(initial).max(initial);
    Ok((initial, declared.min(allowed.into()) as u32, memory.has_byte_pages))
}
