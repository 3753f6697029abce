//! The same modules executed by wasmi: results, traps, final memory and globals are equal.
use crate::guest::{Failure, Guest, small_options};
use crate::programs::PROGRAMS;
use arbitrary::Unstructured;
use wasm_smith::{Config, Module};
use wasmbed_compiler::{PrepareError, prepare};
use wasmbed_engine::Trap;
use wasmi::{Engine, ExternType, Linker, Store, TrapCode, Val, ValType};

/// What a call gave: the words of its results, or the trap.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Outcome {
    Values(Vec<u32>),
    Trap(&'static str),
    /// The other engine's stack or fuel is bounded in another way.
    Exhausted,
}

/// Calls every export in order with the same arguments, here and in wasmi; how many were compared.
fn compare(wasm: &[u8], label: &str) -> Option<u32> {
    let prepared = match prepare(wasm, &small_options()) {
        Ok(prepared) => prepared,
        Err(PrepareError::Invalid { reason, .. }) => panic!("{label}: {reason}"),
        Err(_) => return None,
    };
    let mut config = wasmi::Config::default();
    config.consume_fuel(true).wasm_custom_page_sizes(true);
    let engine = Engine::new(&config);
    let module = wasmi::Module::new(&engine, wasm).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_fuel(10_000_000).unwrap();
    let mut guest = Guest::load(prepared, wasm);
    guest.instance.set_fuel_limit(Some(20_000_000));
    let linker = Linker::new(&engine);
    let started = guest.start();
    let instance = match linker.instantiate_and_start(&mut store, &module) {
        Ok(instance) => instance,
        Err(_) => {
            assert!(started.is_err(), "{label}: start");
            return Some(1);
        }
    };
    let mut compared = 0;
    for export in module.exports() {
        let ExternType::Func(ty) = export.ty() else { continue };
        let function = instance.get_func(&store, export.name()).unwrap();
        for salt in 0..3_u64 {
            let (values, words) = arguments(ty.params(), salt);
            let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default(*ty)).collect();
            let theirs = match function.call(&mut store, &values, &mut results) {
                Ok(()) => Outcome::Values(results.iter().flat_map(bits).collect()),
                Err(error) => match error.as_trap_code() {
                    Some(TrapCode::StackOverflow | TrapCode::OutOfFuel) | None => {
                        Outcome::Exhausted
                    }
                    Some(trap) => Outcome::Trap(trap_text(trap)),
                },
            };
            let ours = match guest.call(export.name(), &words) {
                Ok(_) => Outcome::Values(guest.results(export.name())),
                Err(Failure::Trap(Trap::StackExhausted) | Failure::Other(_)) => Outcome::Exhausted,
                Err(failure) => Outcome::Trap(failure.message()),
            };
            if ours == Outcome::Exhausted || theirs == Outcome::Exhausted {
                return Some(compared);
            }
            assert_eq!(ours, theirs, "{label}: {} with {words:x?}", export.name());
            compared += 1;
        }
    }
    for export in module.exports() {
        if let Some(memory) = instance.get_memory(&store, export.name()) {
            assert!(memory.data(&store) == guest.memory(), "{label}: memory differs");
            compared += 1;
        }
    }
    Some(compared)
}

fn arguments(types: &[ValType], salt: u64) -> (Vec<Val>, Vec<u32>) {
    const INTERESTING: [u64; 6] = [0, 1, 7, u64::MAX, 0x8000_0000_8000_0000, 0x0123_4567_89ab_cdef];
    let mut words = Vec::new();
    let mut values = Vec::new();
    for (index, ty) in types.iter().enumerate() {
        let value = INTERESTING[(index as u64 * 5 + salt * 7) as usize % INTERESTING.len()];
        match ty {
            ValType::I64 => {
                values.push(Val::I64(value as i64));
                words.extend([value as u32, (value >> 32) as u32]);
            }
            ValType::F32 => {
                let value = (value as i64 as f32) / 3.0;
                values.push(Val::F32(value.into()));
                words.push(value.to_bits());
            }
            ValType::F64 => {
                let value = (value as i64 as f64) / 3.0;
                values.push(Val::F64(value.into()));
                words.extend([value.to_bits() as u32, (value.to_bits() >> 32) as u32]);
            }
            _ => {
                values.push(Val::I32(value as i32));
                words.push(value as u32);
            }
        }
    }
    (values, words)
}

/// The words of a value.
fn bits(value: &Val) -> Vec<u32> {
    let long = |value: u64| vec![value as u32, (value >> 32) as u32];
    match value {
        Val::I32(value) => vec![*value as u32],
        Val::I64(value) => long(*value as u64),
        Val::F32(value) => vec![value.to_bits()],
        Val::F64(value) => long(value.to_bits()),
        _ => vec![0],
    }
}

fn trap_text(trap: TrapCode) -> &'static str {
    match trap {
        TrapCode::UnreachableCodeReached => "unreachable",
        TrapCode::MemoryOutOfBounds => "out of bounds memory access",
        TrapCode::IntegerDivisionByZero => "integer divide by zero",
        TrapCode::IntegerOverflow => "integer overflow",
        TrapCode::BadConversionToInteger => "invalid conversion to integer",
        TrapCode::TableOutOfBounds => "undefined element",
        TrapCode::IndirectCallToNull => "uninitialized element",
        TrapCode::BadSignature => "indirect call type mismatch",
        _ => "other",
    }
}

#[test]
fn small_programs_do_what_they_do_in_wasmi() {
    let mut cases = 0;
    for (name, text) in PROGRAMS {
        cases += compare(&wat::parse_str(text).unwrap(), name).unwrap();
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn generated_modules_do_what_they_do_in_wasmi() {
    let config = Config {
        allow_floats: true,
        allow_start_export: true,
        // The sign and payload of a NaN are the engine's to choose.
        canonicalize_nans: true,
        bulk_memory_enabled: true,
        export_everything: true,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        max_data_segments: 3,
        max_imports: 0,
        max_memories: 1,
        max_memory32_bytes: 1 << 20,
        max_tables: 3,
        max_table_elements: 50,
        memory64_enabled: false,
        memory_max_size_required: true,
        min_funcs: 2,
        multi_value_enabled: true,
        reference_types_enabled: true,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    let (mut cases, mut modules, mut refused) = (0, 0, 0);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for seed in 0..MODULES {
        let bytes: Vec<u8> = (0..4096)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        let Ok(mut module) = Module::new(config.clone(), &mut Unstructured::new(&bytes)) else {
            continue;
        };
        if module.ensure_termination(1000).is_err() {
            continue;
        }
        match compare(&module.to_bytes(), &format!("module {seed}")) {
            Some(compared) => (cases, modules) = (cases + compared, modules + 1),
            None => refused += 1,
        }
    }
    println!("{modules} modules compared, {refused} refused by name");
    assert!(modules > MODULES / 2);
    println!("\ncases: {cases}\n");
}

/// Modules in an ordinary run.
const MODULES: u32 = 400;

#[test]
fn random_programs_do_what_they_do_in_wasmi() {
    let mut cases = 0;
    for seed in 0..PROGRAMS_RANDOM {
        let text = crate::generator::program(seed);
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{seed}: {error}\n{text}"));
        let label = format!("program {seed}");
        cases += compare(&wasm, &label).unwrap_or_else(|| panic!("{label} is refused"));
    }
    println!("\ncases: {cases}\n");
}

/// Random programs in an ordinary run.
const PROGRAMS_RANDOM: u64 = 150;
