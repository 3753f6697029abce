//! The sections of an image apart from its code, as they stand in it.
use crate::error::PrepareError;
use crate::module::{Module, item};
use wasmbed_image::{Header, TableRecord};

/// Sections, and what the header says about them.
pub(super) struct Sections {
    /// Elements of the fixed table.
    pub(super) fixed_table: Vec<u8>,
    pub(super) globals: Vec<u8>,
    /// Active data segments.
    pub(super) data: Vec<u8>,
    /// Records of the tables in RAM.
    tables: Vec<u8>,
    /// Heads of the segments that code names.
    heads: Vec<u8>,
    /// What records and heads lead to.
    items: Vec<u8>,
    data_segments: u16,
    element_segments: u16,
    /// Words of the tables in RAM.
    table_words: u64,
}

impl Sections {
    pub(super) fn of(
        module: &Module<'_>,
        table_elements_max: Option<u32>,
    ) -> Result<Sections, PrepareError> {
        let mut sections = Sections {
            fixed_table: fixed_table(module),
            globals: globals(module),
            data: active_data(module),
            tables: Vec::new(),
            heads: Vec::new(),
            items: Vec::new(),
            data_segments: 0,
            element_segments: 0,
            table_words: 0,
        };
        for table in module.changing_tables() {
            let items: Vec<u8> = table.leading().into_iter().flat_map(item).collect();
            let record = TableRecord {
                elements: table.elements,
                elements_max: table.capacity(table_elements_max),
                items_offset: sections.items.len() as u32,
                items: (items.len() / 2) as u32,
            };
            sections.tables.extend(record.encode());
            sections.items.extend(items);
            sections.table_words += u64::from(record.elements_max) + 1;
        }
        for bytes in module.named_data() {
            sections.segment(bytes, bytes.len());
            sections.data_segments += 1;
        }
        for references in module.named_elements() {
            let items: Vec<u8> = references.iter().copied().flat_map(item).collect();
            sections.segment(&items, references.len());
            sections.element_segments += 1;
        }
        let words_max = u64::from(u32::MAX / 4);
        if sections.table_words > words_max {
            return Err(PrepareError::limit("words of tables", sections.table_words, words_max));
        }
        Ok(sections)
    }

    fn segment(&mut self, bytes: &[u8], count: usize) {
        self.heads.extend((self.items.len() as u32).to_le_bytes());
        self.heads.extend((count as u32).to_le_bytes());
        self.items.extend(bytes);
    }

    /// The header with what it says about the sections.
    pub(super) fn describe(&self, header: Header) -> Header {
        let mut header = Header {
            table_elements: (self.fixed_table.len() / 2) as u16,
            global_words: (self.globals.len() / 4) as u16,
            data_bytes: self.data.len() as u32,
            item_bytes: self.items.len() as u32,
            tables: (self.tables.len() / TableRecord::BYTES) as u16,
            data_segments: self.data_segments,
            element_segments: self.element_segments,
            ..header
        };
        header.state_words = self.table_words as u32 + header.dropped_words();
        header
    }

    /// The sections behind the function records, in their order.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        let sections =
            [&self.fixed_table, &self.globals, &self.data, &self.tables, &self.heads, &self.items];
        sections.into_iter().flatten().copied()
    }
}

fn fixed_table(module: &Module<'_>) -> Vec<u8> {
    let Some(table) = module.fixed_table() else { return Vec::new() };
    let mut bytes: Vec<u8> = table.leading().into_iter().flat_map(item).collect();
    bytes.extend((bytes.len() / 2..table.elements as usize).flat_map(|_| item(0)));
    bytes
}

fn globals(module: &Module<'_>) -> Vec<u8> {
    let mut globals = Vec::new();
    for global in module.globals.iter().filter(|global| global.is_mutable) {
        let words = usize::from(global.ty.words());
        globals.extend_from_slice(&global.value.to_le_bytes()[..words * 4]);
    }
    globals
}

fn active_data(module: &Module<'_>) -> Vec<u8> {
    let mut data = Vec::new();
    for (address, bytes) in &module.segments {
        data.extend(address.to_le_bytes());
        data.extend((bytes.len() as u32).to_le_bytes());
        data.extend(*bytes);
    }
    data
}
