//! Tables, references to functions, and the segments that code names.
//!
//! A reference is 0 for null and one more than the function's number in the image otherwise. An
//! import that is referred to gets a number behind the defined functions: it becomes one of them
//! that only passes its arguments on.
use super::Module;
use crate::error::PrepareError;
use crate::limits::{TABLE_ELEMENTS_MAX, TABLE_GROWTH_ELEMENTS, TABLES_MAX};
use std::collections::{BTreeMap, BTreeSet};
use wasmbed_image::NO_FUNCTION;
use wasmparser::{
    ConstExpr, DataKind, Element, ElementItems, ElementKind, Operator, RefType, TableInit,
};

/// Most elements of the table that calls read in the image: its header counts them in 16 bits.
const FIXED_ELEMENTS_MAX: u32 = u16::MAX as u32;

/// A table as declared, and what code does with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) elements: u32,
    elements_max: Option<u32>,
    /// References that are not null, by index.
    contents: BTreeMap<u32, u32>,
    is_called: bool,
    is_touched: bool,
    grows: bool,
}

/// Where a table is in an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TablePlace {
    /// No code uses it: nowhere.
    Unused,
    /// In the image, where calls read it.
    Fixed,
    /// In RAM, with this number.
    Changing(u8),
}

/// References, and the segments that code names.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Imports that are referred to, in the order of their numbers.
    pub(crate) thunks: Vec<u32>,
    /// Numbers of all functions that are referred to.
    pub(crate) functions: BTreeSet<u16>,
    /// Bytes of each data segment, none of an active one.
    data: Vec<Vec<u8>>,
    /// References of each element segment, none of an active one.
    elements: Vec<Vec<u32>>,
    named_data: BTreeSet<u32>,
    named_elements: BTreeSet<u32>,
    pub(crate) places: Vec<TablePlace>,
}

impl Table {
    /// The references of its elements up to the last that is not null.
    pub(crate) fn leading(&self) -> Vec<u32> {
        let count = self.contents.keys().next_back().map_or(0, |last| last + 1);
        (0..count).map(|index| self.contents.get(&index).copied().unwrap_or(0)).collect()
    }

    /// Elements that it may grow to, given how many an operator allows. Where none are stated, a
    /// small maximum that the module declares is kept.
    pub(crate) fn capacity(&self, allowed: Option<u32>) -> u32 {
        let declared = self.elements_max.unwrap_or(u32::MAX);
        let small = Some(declared).filter(|declared| *declared <= TABLE_GROWTH_ELEMENTS);
        let allowed = allowed.or(small).filter(|_| self.grows).unwrap_or(0);
        declared.min(allowed.max(self.elements))
    }
}

/// A reference as it stands in an image, where it names a function.
pub(crate) fn item(reference: u32) -> [u8; 2] {
    let function = reference.checked_sub(1).map_or(NO_FUNCTION, |number| number as u16);
    function.to_le_bytes()
}

impl<'a> Module<'a> {
    /// Number in the image of a function; an import gets one now.
    pub(crate) fn number(&mut self, function: u32) -> u16 {
        let number = match function.checked_sub(self.imports.len() as u32) {
            Some(defined) => defined,
            None => {
                let thunks = &mut self.references.thunks;
                let known = thunks.iter().position(|import| *import == function);
                let rank = known.unwrap_or_else(|| {
                    thunks.push(function);
                    thunks.len() - 1
                });
                (self.function_types.len() - self.imports.len() + rank) as u32
            }
        };
        number as u16
    }

    /// The reference to a function.
    pub(super) fn reference(&mut self, function: u32) -> u32 {
        let number = self.number(function);
        self.references.functions.insert(number);
        u32::from(number) + 1
    }

    /// The reference to a function that was referred to before.
    pub(crate) fn known_reference(&self, function: u32) -> u32 {
        let imports = self.imports.len();
        match function.checked_sub(imports as u32) {
            Some(defined) => defined + 1,
            None => {
                let rank = self.references.thunks.iter().position(|import| *import == function);
                (self.function_types.len() - imports + rank.unwrap_or(0)) as u32 + 1
            }
        }
    }

    pub(super) fn read_table(&mut self, table: &wasmparser::Table<'_>) -> Result<(), PrepareError> {
        let refuse = |feature, detail: &str| Err(PrepareError::not_implemented(feature, detail));
        if table.ty.table64 {
            return refuse("memory64", "a table with 64-bit indices");
        }
        if table.ty.shared {
            return refuse("threads", "a shared table");
        }
        if ![RefType::FUNCREF, RefType::EXTERNREF].contains(&table.ty.element_type) {
            return refuse("typed references", "a table of them");
        }
        if !matches!(table.init, TableInit::RefNull) {
            return refuse("typed references", "a table with an initial element");
        }
        self.tables.push(Table {
            elements: table.ty.initial as u32,
            elements_max: table.ty.maximum.map(|maximum| maximum as u32),
            ..Table::default()
        });
        Ok(())
    }

    pub(super) fn read_element(&mut self, element: Element<'a>) -> Result<(), PrepareError> {
        let mut items = Vec::new();
        match element.items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    items.push(self.reference(function?));
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    items.push(self.constant(&expression?)? as u32);
                }
            }
        }
        let (table, offset) = match &element.kind {
            ElementKind::Active { table_index, offset_expr } => {
                (table_index.unwrap_or(0), self.constant(offset_expr)? as u32)
            }
            ElementKind::Passive => {
                self.references.elements.push(items);
                return Ok(());
            }
            // It only declares which functions may be referred to.
            ElementKind::Declared => {
                self.references.elements.push(Vec::new());
                return Ok(());
            }
        };
        self.references.elements.push(Vec::new());
        let Some(table) = self.tables.get_mut(table as usize) else { return Ok(()) };
        let end = u64::from(offset) + items.len() as u64;
        let available = table.elements.into();
        if end > available {
            return Err(PrepareError::SegmentOutOfBounds { kind: "element", end, available });
        }
        for (index, reference) in (offset..).zip(items) {
            if reference == 0 {
                table.contents.remove(&index);
            } else {
                table.contents.insert(index, reference);
            }
        }
        Ok(())
    }

    pub(super) fn read_data(
        &mut self,
        kind: &DataKind<'_>,
        bytes: &'a [u8],
    ) -> Result<(), PrepareError> {
        let DataKind::Active { offset_expr, .. } = kind else {
            self.references.data.push(bytes.to_vec());
            return Ok(());
        };
        self.references.data.push(Vec::new());
        let offset = self.constant(offset_expr)? as u32;
        let end = u64::from(offset) + bytes.len() as u64;
        let available = self.memory.map_or(0, |memory| memory.bytes);
        if end > available {
            return Err(PrepareError::SegmentOutOfBounds { kind: "data", end, available });
        }
        if !bytes.is_empty() {
            self.segments.push((offset, bytes));
        }
        Ok(())
    }

    /// Finds out what code does with tables and segments, and gives the tables their places.
    pub(super) fn place_tables(&mut self) -> Result<(), PrepareError> {
        for body in self.bodies.clone() {
            for operator in body.get_operators_reader()? {
                self.note(&operator?);
            }
        }
        let is_fixed = |table: &Table| {
            table.is_called && !table.is_touched && table.elements <= FIXED_ELEMENTS_MAX
        };
        let fixed = self.tables.iter().position(is_fixed);
        let mut next = 0;
        for (index, table) in self.tables.iter().enumerate() {
            let is_used = table.is_called || table.is_touched;
            self.references.places.push(match index {
                _ if !is_used => TablePlace::Unused,
                _ if Some(index) == fixed => TablePlace::Fixed,
                _ => {
                    if u64::from(table.elements) > TABLE_ELEMENTS_MAX {
                        let count = table.elements.into();
                        let what = "elements of a table";
                        return Err(PrepareError::limit(what, count, TABLE_ELEMENTS_MAX));
                    }
                    next += 1;
                    if next > TABLES_MAX {
                        return Err(PrepareError::limit("tables", next, TABLES_MAX));
                    }
                    TablePlace::Changing((next - 1) as u8)
                }
            });
        }
        Ok(())
    }

    fn note(&mut self, operator: &Operator<'_>) {
        use Operator::{
            CallIndirect, DataDrop, ElemDrop, MemoryInit, RefFunc, TableCopy, TableFill, TableGet,
            TableGrow, TableInit, TableSet, TableSize,
        };
        match *operator {
            RefFunc { function_index } => {
                self.reference(function_index);
            }
            CallIndirect { table_index, .. } => {
                self.use_table(table_index, |table| table.is_called = true);
            }
            TableGet { table } | TableSet { table } | TableSize { table } | TableFill { table } => {
                self.use_table(table, |table| table.is_touched = true);
            }
            TableGrow { table } => self.use_table(table, |table| {
                table.is_touched = true;
                table.grows = true;
            }),
            TableCopy { dst_table, src_table } => {
                self.use_table(dst_table, |table| table.is_touched = true);
                self.use_table(src_table, |table| table.is_touched = true);
            }
            TableInit { elem_index, table } => {
                self.references.named_elements.insert(elem_index);
                self.use_table(table, |table| table.is_touched = true);
            }
            ElemDrop { elem_index } => {
                self.references.named_elements.insert(elem_index);
            }
            MemoryInit { data_index, .. } | DataDrop { data_index } => {
                self.references.named_data.insert(data_index);
            }
            _ => {}
        }
    }

    fn use_table(&mut self, table: u32, change: impl FnOnce(&mut Table)) {
        if let Some(table) = self.tables.get_mut(table as usize) {
            change(table);
        }
    }

    /// The table that calls read in the image.
    pub(crate) fn fixed_table(&self) -> Option<&Table> {
        let index = self.references.places.iter().position(|place| *place == TablePlace::Fixed);
        index.and_then(|index| self.tables.get(index))
    }

    /// The tables in RAM, in the order of their numbers.
    pub(crate) fn changing_tables(&self) -> impl Iterator<Item = &Table> {
        let places = self.references.places.iter();
        let placed = self.tables.iter().zip(places);
        placed.filter(|(_, place)| matches!(place, TablePlace::Changing(_))).map(|(table, _)| table)
    }

    /// Number in the image of a data segment that code names.
    pub(crate) fn data_number(&self, index: u32) -> u16 {
        self.references.named_data.range(..index).count() as u16
    }

    /// Number in the image of an element segment that code names.
    pub(crate) fn element_number(&self, index: u32) -> u16 {
        self.references.named_elements.range(..index).count() as u16
    }

    /// The data segments that code names.
    pub(crate) fn named_data(&self) -> impl Iterator<Item = &Vec<u8>> {
        let named = self.references.named_data.iter();
        named.filter_map(|index| self.references.data.get(*index as usize))
    }

    /// The element segments that code names.
    pub(crate) fn named_elements(&self) -> impl Iterator<Item = &Vec<u32>> {
        let named = self.references.named_elements.iter();
        named.filter_map(|index| self.references.elements.get(*index as usize))
    }

    /// The value of a constant expression.
    pub(super) fn constant(&mut self, expression: &ConstExpr<'_>) -> Result<u64, PrepareError> {
        let mut result = 0;
        for operator in expression.get_operators_reader() {
            result = match operator? {
                Operator::I32Const { value } => value as u32 as u64,
                Operator::I64Const { value } => value as u64,
                Operator::F32Const { value } => value.bits().into(),
                Operator::F64Const { value } => value.bits(),
                Operator::RefNull { .. } => 0,
                Operator::RefFunc { function_index } => self.reference(function_index).into(),
                Operator::GlobalGet { global_index } => {
                    let global = self.globals.get(global_index as usize);
                    global.map_or(0, |global| global.value)
                }
                Operator::End => break,
                _ => {
                    let feature = "extended constant expressions";
                    return Err(PrepareError::not_implemented(feature, "an initial value"));
                }
            };
        }
        Ok(result)
    }
}
