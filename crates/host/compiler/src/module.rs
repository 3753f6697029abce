//! Reads a WebAssembly module into what the lowering needs, and refuses what it cannot do by name.
//!
//! Validation is wasmparser's. A module that is valid only with a proposal that is missing here is
//! read all the same, so that the proposal is told by its own name and not as "invalid".
use crate::error::PrepareError;
use crate::feature::unsupported_type;
use crate::limits::{GLOBAL_WORDS_MAX, MODULE_BYTES_MAX, PARAMETER_WORDS_MAX};
use wasmbed_abi::{ENTRY_NAMES, Import, ValueType, import_by_name};
use wasmparser::{
    CompositeInnerType, ConstExpr, ExportSectionReader, ExternalKind, FuncType, FunctionBody,
    Parser, Payload, RefType, TypeRef, TypeSectionReader, ValType, Validator, WasmFeatures,
};

mod tables;

use tables::{References, Table};
pub(crate) use tables::{TablePlace, item};

/// How wide a value is: a float is its bits, a reference is a number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Type {
    I32,
    I64,
}

impl Type {
    /// Slots that a value takes.
    pub(crate) fn words(self) -> u16 {
        match self {
            Type::I32 => 1,
            Type::I64 => 2,
        }
    }

    pub(crate) fn of(value: ValType) -> Result<Type, PrepareError> {
        match value {
            ValType::I32 | ValType::F32 => Ok(Type::I32),
            ValType::I64 | ValType::F64 => Ok(Type::I64),
            ValType::Ref(RefType::FUNCREF | RefType::EXTERNREF) => Ok(Type::I32),
            other => Err(unsupported_type(other)),
        }
    }
}

/// Type of a function that can be lowered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Signature {
    pub(crate) params: Vec<Type>,
    pub(crate) results: Vec<Type>,
    /// The type as the module says it: functions of equal width are not all of one type.
    declared: FuncType,
}

impl Signature {
    pub(crate) fn param_words(&self) -> u16 {
        self.params.iter().map(|param| param.words()).sum()
    }

    fn of(function: &FuncType) -> Result<Signature, PrepareError> {
        let types = |values: &[ValType]| -> Result<Vec<Type>, PrepareError> {
            values.iter().copied().map(Type::of).collect()
        };
        let signature = Signature {
            params: types(function.params())?,
            results: types(function.results())?,
            declared: function.clone(),
        };
        let words: u32 = signature.params.iter().map(|param| u32::from(param.words())).sum();
        if words > PARAMETER_WORDS_MAX {
            let what = "words of parameters of one function";
            return Err(PrepareError::limit(what, words.into(), PARAMETER_WORDS_MAX.into()));
        }
        Ok(signature)
    }
}

/// A global variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Global {
    pub(crate) ty: Type,
    pub(crate) is_mutable: bool,
    pub(crate) value: u64,
    /// Its word among the mutable globals; those that never change take none.
    pub(crate) word: u16,
}

/// Linear memory as declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) bytes: u64,
    pub(crate) bytes_max: Option<u64>,
    pub(crate) has_byte_pages: bool,
}

/// An exported function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Export {
    /// Name of the export.
    pub name: String,
    /// Number of the function in the WebAssembly module.
    pub function: u32,
}

/// What a module may use: version 2.0 without SIMD, and memories with pages of one byte.
const SUPPORTED: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::SIMD)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES);

/// A module that was validated and uses only what can be lowered, function bodies apart.
#[derive(Default)]
pub(crate) struct Module<'a> {
    /// Why it is not valid by what is supported, if it is by later proposals. Lowering refuses by
    /// name what it does not know, so this is told only if nothing else was found.
    pub(crate) beyond: Option<PrepareError>,
    types: Vec<Result<Signature, PrepareError>>,
    pub(crate) imports: Vec<&'static Import>,
    /// Type of each function, imports first.
    function_types: Vec<u32>,
    pub(crate) memory: Option<Memory>,
    pub(crate) globals: Vec<Global>,
    tables: Vec<Table>,
    pub(crate) references: References,
    pub(crate) exports: Vec<Export>,
    pub(crate) start: Option<u32>,
    pub(crate) segments: Vec<(u32, &'a [u8])>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Module<'a> {
    /// Validates and reads a module.
    pub(crate) fn parse(wasm: &'a [u8]) -> Result<Module<'a>, PrepareError> {
        if wasm.len() > MODULE_BYTES_MAX {
            return Err(PrepareError::TooLarge {
                module_bytes: wasm.len(),
                module_bytes_max: MODULE_BYTES_MAX,
            });
        }
        let beyond = Validator::new_with_features(SUPPORTED).validate_all(wasm).err();
        if beyond.is_some() {
            Validator::new_with_features(WasmFeatures::all()).validate_all(wasm)?;
        }
        let mut module = Module { beyond: beyond.map(PrepareError::from), ..Module::default() };
        for payload in Parser::new(0).parse_all(wasm) {
            module.read(payload?)?;
        }
        module.place_tables()?;
        Ok(module)
    }

    /// Type of the function with this number.
    pub(crate) fn signature(&self, function: u32) -> Result<&Signature, PrepareError> {
        let type_index = self.function_types.get(function as usize).copied().unwrap_or(u32::MAX);
        self.type_signature(type_index)
    }

    /// Type with this number.
    pub(crate) fn type_signature(&self, type_index: u32) -> Result<&Signature, PrepareError> {
        match self.types.get(type_index as usize) {
            Some(Ok(signature)) => Ok(signature),
            Some(Err(error)) => Err(error.clone()),
            None => Err(PrepareError::not_implemented("a type", format!("number {type_index}"))),
        }
    }

    /// Number of the first type that equals the one with this number.
    pub(crate) fn type_number(&self, signature: &Signature) -> u32 {
        let equal = |known: &Result<Signature, PrepareError>| known.as_ref() == Ok(signature);
        self.types.iter().position(equal).unwrap_or(0) as u32
    }

    /// The function that a guest is entered at.
    pub(crate) fn entry(&self) -> Option<u32> {
        let named = |name: &&str| self.exports.iter().find(|export| export.name == *name);
        let export = ENTRY_NAMES.iter().find_map(named)?;
        let signature = self.signature(export.function).ok()?;
        let is_plain = signature.params.is_empty() && signature.results.is_empty();
        is_plain.then_some(export.function)
    }

    fn read(&mut self, payload: Payload<'a>) -> Result<(), PrepareError> {
        match payload {
            Payload::TypeSection(reader) => self.read_types(reader)?,
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    self.read_import(&import?)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for type_index in reader {
                    self.function_types.push(type_index?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    self.read_table(&table?)?;
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    self.read_memory(memory?)?;
                }
            }
            Payload::TagSection(_) => {
                return Err(PrepareError::not_implemented("exception handling", "a tag"));
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    let global = global?;
                    self.read_global(global.ty, &global.init_expr)?;
                }
            }
            Payload::ExportSection(reader) => self.read_exports(reader)?,
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(reader) => {
                for element in reader {
                    self.read_element(element?)?;
                }
            }
            Payload::DataSection(reader) => {
                for data in reader {
                    let data = data?;
                    self.read_data(&data.kind, data.data)?;
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::ComponentSection { .. } | Payload::ComponentTypeSection(_) => {
                return Err(PrepareError::not_implemented("the component model", "a component"));
            }
            _ => {}
        }
        Ok(())
    }

    fn read_types(&mut self, reader: TypeSectionReader<'_>) -> Result<(), PrepareError> {
        for group in reader {
            for sub in group?.into_types() {
                // A type that is not used does no harm: it is refused where it is.
                self.types.push(match &sub.composite_type.inner {
                    CompositeInnerType::Func(function) => Signature::of(function),
                    _ => Err(PrepareError::not_implemented(
                        "garbage collection",
                        "a type that is not a function",
                    )),
                });
            }
        }
        Ok(())
    }

    fn read_exports(&mut self, reader: ExportSectionReader<'_>) -> Result<(), PrepareError> {
        for export in reader {
            let export = export?;
            if export.kind == ExternalKind::Func {
                let name = export.name.to_owned();
                self.exports.push(Export { name, function: export.index });
            }
        }
        Ok(())
    }

    fn read_import(&mut self, import: &wasmparser::Import<'_>) -> Result<(), PrepareError> {
        let (module, name) = (import.module.to_owned(), import.name.to_owned());
        let detail = format!("{module}.{name}");
        let type_index = match import.ty {
            TypeRef::Func(type_index) => type_index,
            TypeRef::Memory(_) => {
                return Err(PrepareError::not_implemented("import of a memory", detail));
            }
            TypeRef::Table(_) => {
                return Err(PrepareError::not_implemented("import of a table", detail));
            }
            TypeRef::Global(_) => {
                return Err(PrepareError::not_implemented("import of a global", detail));
            }
            _ => return Err(PrepareError::not_implemented("exception handling", detail)),
        };
        let Some(known) = import_by_name(&module, &name) else {
            return Err(PrepareError::UnknownImport { module, name });
        };
        let to_type = |value: &ValueType| match value {
            ValueType::I32 => ValType::I32,
            ValueType::I64 => ValType::I64,
        };
        let expected =
            FuncType::new(known.params.iter().map(to_type), known.result.iter().map(to_type));
        if self.type_signature(type_index)?.declared != expected {
            return Err(PrepareError::ImportType { module, name });
        }
        self.imports.push(known);
        self.function_types.push(type_index);
        Ok(())
    }

    fn read_memory(&mut self, memory: wasmparser::MemoryType) -> Result<(), PrepareError> {
        let refuse = |feature, detail: &str| Err(PrepareError::not_implemented(feature, detail));
        if self.memory.is_some() {
            return refuse("multiple memories", "a second memory");
        }
        if memory.memory64 {
            return refuse("memory64", "a memory with 64-bit addresses");
        }
        if memory.shared {
            return refuse("threads", "a shared memory");
        }
        let page_bits = memory.page_size_log2.unwrap_or(16);
        self.memory = Some(Memory {
            bytes: memory.initial << page_bits,
            bytes_max: memory.maximum.map(|pages| pages << page_bits),
            has_byte_pages: page_bits == 0,
        });
        Ok(())
    }

    fn read_global(
        &mut self,
        ty: wasmparser::GlobalType,
        init: &ConstExpr<'_>,
    ) -> Result<(), PrepareError> {
        let value = self.constant(init)?;
        let word = self.global_words();
        let global = Global {
            ty: Type::of(ty.content_type)?,
            is_mutable: ty.mutable,
            value,
            word: word as u16,
        };
        let words = word + usize::from(global.ty.words());
        if global.is_mutable && words > GLOBAL_WORDS_MAX {
            return Err(PrepareError::limit(
                "words of globals",
                words as u64,
                GLOBAL_WORDS_MAX as u64,
            ));
        }
        self.globals.push(global);
        Ok(())
    }

    /// Words that the mutable globals take.
    pub(crate) fn global_words(&self) -> usize {
        let mutable = self.globals.iter().filter(|global| global.is_mutable);
        mutable.map(|global| usize::from(global.ty.words())).sum()
    }
}
