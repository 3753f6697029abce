//! Names of a module's functions: from its name section, else from its imports and exports.

use wasmparser::{ExternalKind, Name, Parser, Payload, TypeRef};

use crate::limits::NAMED_FUNCTIONS_MAX;

#[cfg(test)]
mod tests;

/// The name of each function, by its number in the module. What has none, or cannot be read, stays
/// without: names never decide anything.
pub fn of_functions(module: &[u8]) -> Vec<Option<String>> {
    let mut names = Names::default();
    for payload in Parser::new(0).parse_all(module) {
        let Ok(payload) = payload else { break };
        names.read(payload);
    }
    names.list
}

#[derive(Default)]
struct Names {
    list: Vec<Option<String>>,
    imports: u32,
}

impl Names {
    fn set(&mut self, function: u32, name: &str, is_better: bool) {
        let index = function as usize;
        if index >= NAMED_FUNCTIONS_MAX {
            return;
        }
        if self.list.len() <= index {
            self.list.resize(index + 1, None);
        }
        if let Some(entry) = self.list.get_mut(index)
            && (entry.is_none() || is_better)
        {
            // Rust's names say which function without the hash at their end.
            *entry = Some(format!("{:#}", rustc_demangle::demangle(name)));
        }
    }

    fn read(&mut self, payload: Payload<'_>) {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports().flatten() {
                    if let TypeRef::Func(_) = import.ty {
                        let name = format!("{}.{}", import.module, import.name);
                        self.set(self.imports, &name, false);
                        self.imports += 1;
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.into_iter().flatten() {
                    if export.kind == ExternalKind::Func {
                        self.set(export.index, export.name, false);
                    }
                }
            }
            Payload::CustomSection(custom) => {
                let wasmparser::KnownCustom::Name(sections) = custom.as_known() else { return };
                for section in sections.into_iter().flatten() {
                    let Name::Function(functions) = section else { continue };
                    for naming in functions.into_iter().flatten() {
                        // An import keeps the name that the table of imports has for it.
                        if naming.index >= self.imports {
                            self.set(naming.index, naming.name, true);
                        }
                    }
                }
            }
            _ => {}
        }
    }
}
