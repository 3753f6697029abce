//! Exported functions that depend on nothing but their parameters: a module that imports one may as
//! well have a copy of it, and then stands alone.

use std::collections::BTreeMap;
use wasmparser::{ExternalKind, FunctionBody, Operator, Parser, Payload, ValType};

/// A function that can be copied to another module.
pub struct Pure {
    /// Types of its parameters and results.
    pub types: (Vec<ValType>, Vec<ValType>),
    /// Its entry in a code section, behind the size.
    pub body: Vec<u8>,
}

/// Functions by the names of their module and export.
pub type Exported = BTreeMap<(String, String), Pure>;

/// The exported functions of a module without imports that can be copied, by name.
pub fn functions(wasm: &[u8]) -> Vec<(String, Pure)> {
    let (mut types, mut functions, mut bodies, mut exports) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        match payload {
            Payload::TypeSection(reader) => {
                types.extend(reader.into_iter_err_on_gc_types().flatten());
            }
            Payload::ImportSection(reader) if reader.count() > 0 => return Vec::new(),
            Payload::FunctionSection(reader) => functions.extend(reader.into_iter().flatten()),
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::ExportSection(reader) => exports.extend(reader.into_iter().flatten()),
            _ => {}
        }
    }
    let called = exports.iter().filter(|export| export.kind == ExternalKind::Func);
    let copied = called.filter_map(|export| {
        let body = bodies.get(export.index as usize).filter(|body| is_pure(body))?;
        let ty = types.get(*functions.get(export.index as usize)? as usize)?;
        let range = body.range();
        let body = wasm.get(range.start as usize..range.end as usize)?.to_vec();
        let types = (ty.params().to_vec(), ty.results().to_vec());
        Some((export.name.to_owned(), Pure { types, body }))
    });
    copied.collect()
}

/// Whether a body names nothing of its module.
fn is_pure(body: &FunctionBody<'_>) -> bool {
    use Operator::{
        Drop, End, F32Const, F64Const, I32Add, I32Const, I32Mul, I32Sub, I64Add, I64Const,
        LocalGet, Nop, Return,
    };
    let Ok(operators) = body.get_operators_reader() else { return false };
    operators.into_iter().all(|operator| {
        matches!(
            operator,
            Ok(I32Const { .. }
                | I64Const { .. }
                | F32Const { .. }
                | F64Const { .. }
                | LocalGet { .. }
                | I32Add
                | I32Sub
                | I32Mul
                | I64Add
                | Nop
                | Drop
                | Return
                | End)
        )
    })
}
