//! Makes modules of the suite stand alone: what they import from `spectest` becomes their own.
//!
//! No device has memories, tables or globals to import, so `prepare` refuses them by name. Imports
//! come first in every index space, so definitions in their place leave every index as it is.

use super::pure::{Exported, Pure};
use wasmparser::{
    ConstExpr, DataKind, Element, ElementItems, ElementKind, ExternalKind, Operator, Parser,
    Payload, TypeRef, ValType,
};

/// Begins the name of an export that gives a global; the rest is the global's name.
pub const GETTER: &str = "value of ";

/// Name of the function that gives a module new fuel of its own.
pub const REFUEL: &str = "refuel";

/// A module that imports nothing.
pub struct Alone {
    /// The module.
    pub wasm: Vec<u8>,
    /// What can be called in it.
    pub exports: Vec<Export>,
}

/// An exported function.
pub struct Export {
    /// Its name.
    pub name: String,
    /// Its number.
    pub function: u16,
    /// Words of its results.
    pub result_words: u8,
    /// Whether it has more than one.
    pub has_several: bool,
    /// Types of its parameters.
    pub parameters: Vec<ValType>,
    /// Types of its results.
    pub kinds: Vec<ValType>,
}

/// Order in which sections stand.
const ORDER: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

/// What is read of a module, and entries to add before and behind those of its sections.
#[derive(Default)]
struct Contents {
    sections: Vec<(u8, Vec<u8>)>,
    before: Vec<(u8, Vec<u8>)>,
    behind: Vec<(u8, Vec<u8>)>,
    types: u32,
    signatures: Vec<(Vec<ValType>, Vec<ValType>)>,
    functions: Vec<u32>,
    globals: Vec<ValType>,
    /// Initial values of the globals that were imports, as expressions with their end.
    values: Vec<Vec<u8>>,
    /// Where in the module an expression reads a global, and which.
    reads: Vec<(std::ops::Range<usize>, u32)>,
    exports: Vec<(String, ExternalKind, u32)>,
    foreign: Vec<String>,
}

/// What is added to a module beside definitions for its imports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Additions {
    /// Functions that give exported globals.
    pub getters: bool,
    /// A function [`REFUEL`] that sets a global to a value: what bounds the work of one call.
    pub refuel: Option<(u32, u32)>,
}

/// Makes a module stand alone that imports from `spectest` only.
///
/// # Errors
/// The names of other modules that it imports from.
pub fn stand_alone(wasm: &[u8], additions: Additions) -> Result<Alone, Vec<String>> {
    stand_alone_with(wasm, additions, &Exported::new())
}

/// Makes a module stand alone that imports from `spectest`, and functions that can be copied.
///
/// # Errors
/// The names of the modules that it imports anything else from.
pub fn stand_alone_with(
    wasm: &[u8],
    additions: Additions,
    exported: &Exported,
) -> Result<Alone, Vec<String>> {
    let mut contents = Contents::default();
    let mut ranges = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        // What cannot be read is left as it is: `prepare` says what is wrong with it.
        let Ok(payload) = payload else {
            return Ok(Alone { wasm: wasm.to_vec(), exports: Vec::new() });
        };
        if let Some((id, range)) = payload.as_section()
            && id != 0
        {
            ranges.push((id, range.start as usize..range.end as usize));
        }
        contents.take(payload, exported);
    }
    if !contents.foreign.is_empty() {
        return Err(contents.foreign);
    }
    contents.sections =
        ranges.into_iter().map(|(id, range)| (id, contents.section(wasm, range))).collect();
    let has_imports = !contents.before.is_empty();
    let mut exports = contents.called();
    if additions.getters {
        exports.extend(contents.getters());
    }
    if let Some((global, value)) = additions.refuel {
        let set = [vec![0x41], signed(value), vec![0x24], number(global)].concat();
        exports.push(contents.add(REFUEL.to_owned(), None, &set));
    }
    let is_changed = has_imports || !contents.behind.is_empty();
    let wasm = if is_changed { contents.encode() } else { wasm.to_vec() };
    Ok(Alone { wasm, exports })
}

impl Contents {
    fn take(&mut self, payload: Payload<'_>, exported: &Exported) {
        match payload {
            Payload::TypeSection(reader) => {
                for ty in reader.into_iter_err_on_gc_types().flatten() {
                    self.signatures.push((ty.params().to_vec(), ty.results().to_vec()));
                    self.types += 1;
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports().flatten() {
                    let key = (import.module.to_owned(), import.name.to_owned());
                    let is_defined = match exported.get(&key) {
                        Some(function) => self.copy(function, import.ty),
                        None => import.module == "spectest" && self.define(import.name, import.ty),
                    };
                    if !is_defined {
                        self.foreign.push(import.module.to_owned());
                    }
                }
            }
            Payload::FunctionSection(reader) => self.functions.extend(reader.into_iter().flatten()),
            Payload::GlobalSection(reader) => {
                for global in reader.into_iter().flatten() {
                    self.globals.push(global.ty.content_type);
                    self.read(&global.init_expr);
                }
            }
            Payload::ElementSection(reader) => {
                for element in reader.into_iter().flatten() {
                    self.element(element);
                }
            }
            Payload::DataSection(reader) => {
                for data in reader.into_iter().flatten() {
                    if let DataKind::Active { offset_expr, .. } = data.kind {
                        self.read(&offset_expr);
                    }
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader.into_iter().flatten() {
                    self.exports.push((export.name.to_owned(), export.kind, export.index));
                }
            }
            _ => {}
        }
    }

    fn element(&mut self, element: Element<'_>) {
        if let ElementKind::Active { offset_expr, .. } = element.kind {
            self.read(&offset_expr);
        }
        if let ElementItems::Expressions(_, expressions) = element.items {
            for expression in expressions.into_iter().flatten() {
                self.read(&expression);
            }
        }
    }

    /// Notes an expression that is only a global.
    fn read(&mut self, expression: &ConstExpr<'_>) {
        let range = expression.get_binary_reader().range();
        let mut operators = expression.get_operators_reader();
        if let Ok(Operator::GlobalGet { global_index }) = operators.read() {
            self.reads.push((range.start as usize..range.end as usize, global_index));
        }
    }

    /// A section, with values in place of the imported globals that its expressions read: only of
    /// imported ones they may.
    fn section(&self, wasm: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
        let mut content = Vec::new();
        let mut at = range.start;
        for (read, global) in &self.reads {
            if let Some(value) = self.values.get(*global as usize)
                && range.contains(&read.start)
            {
                content.extend(&wasm[at..read.start]);
                content.extend(value);
                at = read.end;
            }
        }
        content.extend(&wasm[at..range.end]);
        content
    }

    /// Adds a copy of a function; `false` if another type of it is wanted.
    fn copy(&mut self, function: &Pure, wanted: TypeRef) -> bool {
        let TypeRef::Func(ty) = wanted else { return false };
        if self.signatures.get(ty as usize) != Some(&function.types) {
            return false;
        }
        self.functions.push(ty);
        self.before.push((3, number(ty)));
        let size = number(function.body.len() as u32);
        self.before.push((10, [size, function.body.clone()].concat()));
        true
    }

    /// Adds what `spectest` has by this name; `false` if there is no such thing.
    fn define(&mut self, name: &str, ty: TypeRef) -> bool {
        let (section, entry) = match (name, ty) {
            ("memory", TypeRef::Memory(_)) => (5, vec![1, 1, 2]),
            ("table", TypeRef::Table(_)) => (4, vec![0x70, 1, 10, 20]),
            ("global_i32", TypeRef::Global(_)) => (6, vec![0x7f, 0, 0x41, 0x9a, 0x05, 0x0b]),
            ("global_i64", TypeRef::Global(_)) => (6, vec![0x7e, 0, 0x42, 0x9a, 0x05, 0x0b]),
            ("global_f32", TypeRef::Global(_)) => {
                (6, [&[0x7d, 0, 0x43][..], &666.6_f32.to_le_bytes(), &[0x0b]].concat())
            }
            ("global_f64", TypeRef::Global(_)) => {
                (6, [&[0x7c, 0, 0x44][..], &666.6_f64.to_le_bytes(), &[0x0b]].concat())
            }
            (name, TypeRef::Func(ty)) if name.starts_with("print") => {
                self.functions.push(ty);
                self.before.push((3, number(ty)));
                // No locals, and nothing is done.
                (10, vec![2, 0, 0x0b])
            }
            _ => return false,
        };
        if let TypeRef::Global(global) = ty {
            self.globals.push(global.content_type);
            self.values.push(entry[2..].to_vec());
        }
        self.before.push((section, entry));
        true
    }

    fn called(&self) -> Vec<Export> {
        let functions = self.exports.iter().filter(|(_, kind, _)| *kind == ExternalKind::Func);
        functions
            .filter_map(|(name, _, index)| {
                let ty = *self.functions.get(*index as usize)?;
                let (parameters, kinds) = self.signatures.get(ty as usize)?.clone();
                Some(Export {
                    name: name.clone(),
                    function: *index as u16,
                    result_words: kinds.iter().map(|kind| words(*kind)).sum::<usize>() as u8,
                    has_several: kinds.len() > 1,
                    parameters,
                    kinds,
                })
            })
            .collect()
    }

    /// Adds a function for each exported global.
    fn getters(&mut self) -> Vec<Export> {
        let mut added = Vec::new();
        for (name, kind, index) in self.exports.clone() {
            let (ExternalKind::Global, Some(ty)) =
                (kind, self.globals.get(index as usize).copied())
            else {
                continue;
            };
            let (Some(code), result_words) = (type_code(ty), words(ty) as u8) else { continue };
            let get = [vec![0x23], number(index)].concat();
            let export = self.add(format!("{GETTER}{name}"), Some(code), &get);
            added.push(Export { result_words, kinds: vec![ty], ..export });
        }
        added
    }

    /// Adds a function without parameters, exported by `name`.
    fn add(&mut self, name: String, result: Option<u8>, operators: &[u8]) -> Export {
        let function = self.functions.len() as u16;
        self.functions.push(self.types);
        self.behind.push((3, number(self.types)));
        let results = result.map_or(vec![0], |code| vec![1, code]);
        self.behind.push((1, [vec![0x60, 0], results].concat()));
        self.types += 1;
        let exported = [number(name.len() as u32), name.clone().into_bytes(), vec![0]].concat();
        self.behind.push((7, [exported, number(function.into())].concat()));
        let body = [&[0], operators, &[0x0b]].concat();
        self.behind.push((10, [number(body.len() as u32), body].concat()));
        let (parameters, kinds) = (Vec::new(), Vec::new());
        Export { name, function, result_words: 0, has_several: false, parameters, kinds }
    }

    fn encode(&self) -> Vec<u8> {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        for id in ORDER.into_iter().filter(|id| *id != 2) {
            let of = |entries: &[(u8, Vec<u8>)]| -> Vec<Vec<u8>> {
                let entries = entries.iter().filter(|(section, _)| *section == id);
                entries.map(|(_, entry)| entry.clone()).collect()
            };
            let (before, behind) = (of(&self.before), of(&self.behind));
            let own = self.sections.iter().find(|(section, _)| *section == id);
            let content = match own {
                Some((_, content)) if before.is_empty() && behind.is_empty() => content.clone(),
                None if before.is_empty() && behind.is_empty() => continue,
                own => {
                    let own = own.map_or(&[0][..], |(_, content)| content);
                    let (count, entries) = split_number(own);
                    let count = count + (before.len() + behind.len()) as u32;
                    [number(count), before.concat(), entries.to_vec(), behind.concat()].concat()
                }
            };
            wasm.push(id);
            wasm.extend(number(content.len() as u32));
            wasm.extend(content);
        }
        wasm
    }
}

/// 32-bit words of a value.
pub fn words(ty: ValType) -> usize {
    match ty {
        ValType::I64 | ValType::F64 => 2,
        ValType::V128 => 4,
        _ => 1,
    }
}

fn type_code(ty: ValType) -> Option<u8> {
    Some(match ty {
        ValType::I32 => 0x7f,
        ValType::I64 => 0x7e,
        ValType::F32 => 0x7d,
        ValType::F64 => 0x7c,
        ValType::FUNCREF => 0x70,
        ValType::EXTERNREF => 0x6f,
        _ => return None,
    })
}

/// LEB128.
fn number(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Signed LEB128 of a number that is not negative.
fn signed(value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = value;
    while rest >= 0x40 {
        bytes.push(rest as u8 & 0x7f | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn split_number(bytes: &[u8]) -> (u32, &[u8]) {
    let length = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let (number, rest) = bytes.split_at(length.min(bytes.len()));
    let value = number.iter().rev().fold(0_u32, |value, byte| value << 7 | u32::from(byte & 0x7f));
    (value, rest)
}
