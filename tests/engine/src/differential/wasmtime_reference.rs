//! wasmtime, asked the same.

use super::{Case, CaseCall, Observed, Seen};
use std::sync::OnceLock;
use wasmparser::ValType;
use wasmtime::{Config, Engine, Error, Instance, Module, OptLevel, Store, Val};

/// One for all modules: it is expensive to make.
fn engine() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    let make = || {
        let mut config = Config::new();
        config.wasm_custom_page_sizes(true).cranelift_opt_level(OptLevel::None);
        // Guard pages for each of many small memories cost more than checks.
        config.memory_reservation(0).memory_guard_size(0).memory_reservation_for_growth(0);
        config.signals_based_traps(false).memory_init_cow(false);
        Engine::new(&config).ok()
    };
    ENGINE.get_or_init(make).as_ref()
}

/// What wasmtime does; `None` if it does not take the module.
pub fn observe(case: &Case) -> Option<Observed> {
    let engine = engine()?;
    let module = Module::new(engine, &case.wasm).ok()?;
    let mut store = Store::new(engine, ());
    let instance = match Instance::new(&mut store, &module, &[]) {
        Ok(instance) => instance,
        Err(error) => return Some(Observed { calls: vec![failed(&error)], memory: Vec::new() }),
    };
    let mut observed = Observed { calls: vec![Seen::Returned(Vec::new())], memory: Vec::new() };
    for call in &case.calls {
        observed.calls.push(seen(&mut store, &instance, call)?);
    }
    let names: Vec<String> = module.exports().map(|export| export.name().to_owned()).collect();
    let memory = names.iter().find_map(|name| instance.get_memory(&mut store, name));
    observed.memory = memory.map_or(Vec::new(), |memory| memory.data(&store).to_vec());
    Some(observed)
}

fn seen(store: &mut Store<()>, instance: &Instance, call: &CaseCall) -> Option<Seen> {
    let function = instance.get_func(&mut *store, &call.name)?;
    let mut results = vec![Val::I32(0); call.kinds.len()];
    Some(match function.call(&mut *store, &arguments(call), &mut results) {
        Ok(()) => Seen::Returned(results.iter().flat_map(words).collect()),
        Err(error) => failed(&error),
    })
}

fn arguments(call: &CaseCall) -> Vec<Val> {
    let mut words = call.arguments.iter().copied();
    let mut word = || words.next().unwrap_or(0);
    let mut values = Vec::new();
    for parameter in &call.parameters {
        let low = word();
        let mut long = || u64::from(low) | u64::from(word()) << 32;
        values.push(match *parameter {
            ValType::I32 => Val::I32(low as i32),
            ValType::I64 => Val::I64(long() as i64),
            ValType::F32 => Val::F32(low),
            ValType::F64 => Val::F64(long()),
            ValType::EXTERNREF => Val::ExternRef(None),
            _ => Val::FuncRef(None),
        });
    }
    values
}

fn words(value: &Val) -> Vec<u32> {
    let long = |value: u64| vec![value as u32, (value >> 32) as u32];
    match value {
        Val::I32(value) => vec![*value as u32],
        Val::I64(value) => long(*value as u64),
        Val::F32(value) => vec![*value],
        Val::F64(value) => long(*value),
        Val::FuncRef(value) => vec![u32::from(value.is_some())],
        Val::ExternRef(value) => vec![u32::from(value.is_some())],
        _ => Vec::new(),
    }
}

fn failed(error: &Error) -> Seen {
    use wasmbed_engine::Trap as Ours;
    use wasmtime::Trap;
    let trap = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => Ours::Unreachable,
        Some(Trap::MemoryOutOfBounds) => Ours::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds) => Ours::TableOutOfBounds,
        Some(Trap::IndirectCallToNull) => Ours::UninitializedElement,
        Some(Trap::IntegerDivisionByZero) => Ours::DivideByZero,
        Some(Trap::IntegerOverflow) => Ours::IntegerOverflow,
        Some(Trap::BadConversionToInteger) => Ours::InvalidConversion,
        Some(Trap::BadSignature) => Ours::IndirectCallType,
        _ => return Seen::GaveUp(error.to_string()),
    };
    Seen::Trapped(trap as u32)
}
