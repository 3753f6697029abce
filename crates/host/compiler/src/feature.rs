//! Names for the parts of WebAssembly that are not there, as their proposals call them.
use crate::error::PrepareError;
use wasmparser::{Operator, ValType};

/// The error for an operator that the lowering does not know.
pub(crate) fn unsupported_operator(operator: &Operator<'_>) -> PrepareError {
    macro_rules! names {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match operator {
                $(Operator::$op { .. } => (stringify!($proposal), stringify!($visit)),)*
                _ => ("unknown", "visit_unknown"),
            }
        };
    }
    let (proposal, visit) = wasmparser::for_each_operator!(names);
    let name = visit.trim_start_matches("visit_");
    let feature = match proposal {
        "simd" | "relaxed_simd" => "SIMD",
        "function_references" => "typed references",
        "tail_call" => "tail calls",
        "threads" | "shared_everything_threads" => "threads",
        "exceptions" | "legacy_exceptions" => "exception handling",
        "gc" => "garbage collection",
        "stack_switching" => "stack switching",
        "wide_arithmetic" => "wide arithmetic",
        "memory_control" => "memory control",
        _ => "an operator",
    };
    PrepareError::not_implemented(feature, operator_text(name))
}

/// The name of the text format, such as `f32.add` for `f32_add`.
fn operator_text(name: &str) -> String {
    const PREFIXES: [&str; 12] = [
        "i32", "i64", "f32", "f64", "v128", "memory", "table", "data", "elem", "ref", "struct",
        "array",
    ];
    match name.split_once('_') {
        Some((prefix, rest)) if PREFIXES.contains(&prefix) => format!("{prefix}.{rest}"),
        _ => name.to_owned(),
    }
}

/// The error for a value type that the lowering does not know.
pub(crate) fn unsupported_type(value: ValType) -> PrepareError {
    let feature = match value {
        ValType::V128 => "SIMD",
        _ => "typed references",
    };
    PrepareError::not_implemented(feature, format!("a value of type {value}"))
}
