//! wasmi, asked the same.

use super::{Case, CaseCall, Observed, Seen};
use wasmbed_engine::Trap;
use wasmi::{Config, Engine, Error, Instance, Linker, Module, Ref, Store, TrapCode, Val};
use wasmparser::ValType;

/// What wasmi does; `None` if it does not take the module.
pub fn observe(case: &Case) -> Option<Observed> {
    let mut config = Config::default();
    config.wasm_custom_page_sizes(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, &case.wasm).ok()?;
    let mut store = Store::new(&engine, ());
    let instance = match Linker::new(&engine).instantiate_and_start(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => return Some(Observed { calls: vec![failed(&error)], memory: Vec::new() }),
    };
    let mut observed = Observed { calls: vec![Seen::Returned(Vec::new())], memory: Vec::new() };
    for call in &case.calls {
        observed.calls.push(seen(&mut store, &instance, call)?);
    }
    let memory = module.exports().find_map(|export| instance.get_memory(&store, export.name()));
    observed.memory = memory.map_or(Vec::new(), |memory| memory.data(&store).to_vec());
    Some(observed)
}

fn seen(store: &mut Store<()>, instance: &Instance, call: &CaseCall) -> Option<Seen> {
    let function = instance.get_func(&mut *store, &call.name)?;
    let ty = function.ty(&*store);
    let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default(*ty)).collect();
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
            ValType::F32 => Val::F32(f32::from_bits(low).into()),
            ValType::F64 => Val::F64(f64::from_bits(long()).into()),
            ValType::EXTERNREF => Val::ExternRef(Ref::Null),
            _ => Val::FuncRef(Ref::Null),
        });
    }
    values
}

fn words(value: &Val) -> Vec<u32> {
    let long = |value: u64| vec![value as u32, (value >> 32) as u32];
    match value {
        Val::I32(value) => vec![*value as u32],
        Val::I64(value) => long(*value as u64),
        Val::F32(value) => vec![value.to_bits()],
        Val::F64(value) => long(value.to_bits()),
        Val::FuncRef(value) => vec![u32::from(!value.is_null())],
        Val::ExternRef(value) => vec![u32::from(!value.is_null())],
        _ => Vec::new(),
    }
}

fn failed(error: &Error) -> Seen {
    let trap = match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => Trap::Unreachable,
        Some(TrapCode::MemoryOutOfBounds) => Trap::MemoryOutOfBounds,
        Some(TrapCode::TableOutOfBounds) => Trap::TableOutOfBounds,
        Some(TrapCode::IndirectCallToNull) => Trap::UninitializedElement,
        Some(TrapCode::IntegerDivisionByZero) => Trap::DivideByZero,
        Some(TrapCode::IntegerOverflow) => Trap::IntegerOverflow,
        Some(TrapCode::BadConversionToInteger) => Trap::InvalidConversion,
        Some(TrapCode::BadSignature) => Trap::IndirectCallType,
        _ => return Seen::GaveUp(error.to_string()),
    };
    Seen::Trapped(trap as u32)
}
