//! Modules to compare: made from a seed, or kept because they once found something.

use super::canonical::canonical;
use crate::suite::spectest::{self, Additions, GETTER, REFUEL};
use crate::work::{Invocation, Work};
use arbitrary::Unstructured;
use wasm_smith::{Config, Module};
use wasmbed_compiler::{Options, Prepared, prepare};
use wasmparser::{ExternalKind, Parser, Payload, ValType};

/// Function entries and loop rounds that a call may use up before it traps.
const STEPS: u32 = 200;
/// How deep calls may be nested in a circle: more than the steps allow.
const DEPTH: u32 = STEPS + 20;
/// Memory that modules may have.
const MEMORY_BYTES_MAX: u32 = 1 << 20;
/// Elements that each table may have.
const TABLE_ELEMENTS_MAX: u32 = 60;
/// Stack that modules may need: what a board has.
const ARENA_BYTES_MAX: u32 = 3 << 20;
/// Bytes that a module is made from.
const ENTROPY_BYTES: usize = 4096;
/// Calls of each export, with other arguments.
const ROUNDS: u64 = 3;
/// Argument words that a call can have.
const ARGUMENT_WORDS_MAX: usize = 127;

/// A module and the calls to make in it.
pub struct Case {
    /// The module, standing alone.
    pub wasm: Vec<u8>,
    /// The module, prepared.
    pub prepared: Prepared,
    /// Calls in order.
    pub calls: Vec<CaseCall>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct CaseCall {
    /// Name of the export.
    pub name: String,
    /// Its number.
    pub function: u16,
    /// Types of its parameters.
    pub parameters: Vec<ValType>,
    /// Argument words. References are null.
    pub arguments: Vec<u32>,
    /// Types of its results.
    pub kinds: Vec<ValType>,
}

impl Case {
    /// The case as work for the engine. Fuel is counted, but not used up.
    pub fn work(&self) -> Work {
        let calls = self.calls.iter().map(|call| Invocation {
            function: call.function,
            arguments: call.arguments.clone(),
            result_words: call.kinds.iter().map(|kind| spectest::words(*kind)).sum::<usize>() as u8,
            has_several: call.kinds.len() > 1,
        });
        Work {
            image: self.prepared.image.clone(),
            calls: calls.collect(),
            fuel_limit: Some(u64::MAX - 1),
            ..Work::default()
        }
    }
}

/// A small generator of numbers: the same seed gives the same.
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        // Seeds that lie close together must not give modules that are alike.
        for _ in 0..8 {
            random.draw();
        }
        random
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound.max(1) as u64) as usize
    }
}

/// Makes the module of a seed from the first bytes of its entropy; fewer make a smaller one.
///
/// `None` if there is none of that seed.
pub fn module(seed: u64, entropy_bytes: usize) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    let config = config(&mut random);
    let bytes: Vec<u8> = (0..ENTROPY_BYTES).map(|_| random.draw() as u8).collect();
    let bytes = bytes.get(..entropy_bytes)?;
    let mut module = Module::new(config, &mut Unstructured::new(bytes)).ok()?;
    let fuel = module.ensure_termination(STEPS).ok()?;
    let additions = Additions { getters: true, refuel: Some((fuel, STEPS)) };
    spectest::stand_alone(&canonical(&module.to_bytes())?, additions).ok().map(|alone| alone.wasm)
}

/// Makes the case of a seed.
///
/// # Errors
/// Why it is refused: what is not implemented, or is larger than a board.
pub fn generate(seed: u64) -> Option<Result<Case, String>> {
    module(seed, ENTROPY_BYTES).map(read)
}

/// WebAssembly 2.0 without vectors, with everything exported.
fn config(random: &mut Random) -> Config {
    Config {
        allow_start_export: true,
        canonicalize_nans: true,
        // Most programs without traps come far; the others end in odd corners.
        disallow_traps: random.below(3) > 0,
        allow_floats: random.below(4) > 0,
        custom_page_sizes_enabled: random.below(4) == 0,
        export_everything: true,
        max_imports: 0,
        min_funcs: 3,
        max_funcs: 12,
        max_instructions: [60, 200, 600][random.below(3)],
        max_memories: 1,
        max_memory32_bytes: MEMORY_BYTES_MAX.into(),
        memory_max_size_required: true,
        max_tables: 3,
        max_table_elements: TABLE_ELEMENTS_MAX.into(),
        table_max_size_required: true,
        max_data_segments: 5,
        max_element_segments: 5,
        max_globals: 12,
        reference_types_enabled: random.below(8) > 0,
        bulk_memory_enabled: random.below(8) > 0,
        multi_value_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        custom_descriptors_enabled: false,
        generate_custom_sections: false,
        ..Config::default()
    }
}

/// Makes a case of a module that stands alone.
///
/// # Errors
/// Why the module is refused.
pub fn read(wasm: Vec<u8>) -> Result<Case, String> {
    let options = Options {
        recursion_depth: DEPTH,
        memory_bytes_max: Some(MEMORY_BYTES_MAX),
        table_elements_max: Some(TABLE_ELEMENTS_MAX),
        needs_entry: false,
        ..Options::default()
    };
    let prepared = prepare(&wasm, &options).map_err(|error| error.to_string())?;
    let needed = prepared.needs.arena_bytes;
    if needed > ARENA_BYTES_MAX {
        return Err(format!("an arena of more than {ARENA_BYTES_MAX} bytes"));
    }
    let calls = calls(&wasm);
    Ok(Case { wasm, prepared, calls })
}

/// Each export with some arguments, with new fuel before each call, then every global.
fn calls(wasm: &[u8]) -> Vec<CaseCall> {
    let exports = exports(wasm);
    let (getters, others): (Vec<_>, Vec<_>) =
        exports.into_iter().partition(|export| export.name.starts_with(GETTER));
    let refuel = others.iter().find(|export| export.name == REFUEL).cloned();
    let mut calls = Vec::new();
    for round in 0..ROUNDS {
        for export in others.iter().filter(|export| export.name != REFUEL) {
            let arguments = arguments(&export.parameters, round);
            if arguments.len() <= ARGUMENT_WORDS_MAX && export.kinds.len() <= 100 {
                calls.extend(refuel.clone());
                calls.push(CaseCall { arguments, ..export.clone() });
            }
        }
    }
    calls.extend(getters);
    calls
}

/// Every function that a module exports, without arguments.
pub fn exports(wasm: &[u8]) -> Vec<CaseCall> {
    let (mut types, mut functions, mut exports) = (Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        match payload {
            Payload::TypeSection(reader) => {
                types.extend(reader.into_iter_err_on_gc_types().flatten());
            }
            Payload::FunctionSection(reader) => functions.extend(reader.into_iter().flatten()),
            Payload::ExportSection(reader) => exports.extend(reader.into_iter().flatten()),
            _ => {}
        }
    }
    let functions =
        exports.iter().filter(|export| export.kind == ExternalKind::Func).filter_map(|export| {
            let ty = types.get(*functions.get(export.index as usize)? as usize)?;
            Some(CaseCall {
                name: export.name.to_owned(),
                function: export.index as u16,
                parameters: ty.params().to_vec(),
                arguments: Vec::new(),
                kinds: ty.results().to_vec(),
            })
        });
    functions.collect()
}

/// Words of arguments that are likely to find something. References are null.
fn arguments(parameters: &[ValType], round: u64) -> Vec<u32> {
    const INTEGERS: [u64; 8] = [
        0,
        1,
        7,
        u64::MAX,
        0x8000_0000_8000_0000,
        0x0123_4567_89ab_cdef,
        0x7fff_ffff_ffff_ffff,
        65_535,
    ];
    const FLOATS: [f64; 8] =
        [0.0, -0.0, 1.5, -3.75e9, f64::INFINITY, f64::NAN, 4.2e-320, 1.797_693_134_862_315_7e308];
    let mut words = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let choice = (index as u64 * 5 + round * 3) as usize % 8;
        let (integer, float) = (INTEGERS[choice], FLOATS[choice]);
        let long = |value: u64| [value as u32, (value >> 32) as u32];
        match parameter {
            ValType::I32 => words.push(integer as u32),
            ValType::I64 => words.extend(long(integer)),
            ValType::F32 => words.push((float as f32).to_bits()),
            ValType::F64 => words.extend(long(float.to_bits())),
            _ => words.push(0),
        }
    }
    words
}
