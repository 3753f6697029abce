//! The image body: a fixed header, then sections whose sizes the header tells.
//!
//! Leaves out what the code section means; `engine` verifies and executes it.
use crate::limits::CODE_BYTES_MAX;

const MAGIC: [u8; 4] = *b"WBIM";

/// Version of the body's layout.
pub const VERSION: u8 = 2;

/// Format of the code section: lowered register code, first version. A machine-code format will
/// have another number.
pub const FORMAT_LOWERED_V1: u8 = 1;

/// In place of a function number: there is none.
pub const NO_FUNCTION: u16 = u16::MAX;

/// Flag: the page size of the memory is one byte, not 64 KiB.
const FLAG_BYTE_PAGES: u16 = 1;

/// What a body says about itself before its sections.
///
/// # Layout
/// Little endian, [`Header::BYTES`] in all. Behind it, without gaps: imports (`u16` number in
/// `abi`), function records (`u32`), elements of the fixed table (`u16` function or
/// [`NO_FUNCTION`]), initial globals (`u32` words), data segments (`u32` address, `u32` length,
/// bytes), records of the tables that change ([`TableRecord`]), heads of the data segments and then
/// of the element segments that code names (`u32` offset among the items, `u32` bytes or elements),
/// items, code.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// 0x05 How the code section is to be executed.
    pub format: u8,
    /// 0x06 Bit 0: pages of one byte.
    pub has_byte_pages: bool,
    /// 0x08 Bytes of the code section.
    pub code_bytes: u32,
    /// 0x0c Bytes of the data segments with their heads.
    pub data_bytes: u32,
    /// 0x10 Functions that the body defines.
    pub functions: u16,
    /// 0x12 Functions that the guest imports.
    pub imports: u16,
    /// 0x14 Elements of the fixed table: the one that calls alone look at, in place.
    pub table_elements: u16,
    /// 0x16 Words of global variables.
    pub global_words: u16,
    /// 0x18 Linear memory at the start, in bytes.
    pub memory_bytes: u32,
    /// 0x1c Linear memory that is reserved for growing, in bytes, the initial one included.
    pub memory_bytes_max: u32,
    /// 0x20 Frames and call stack at the deepest point, in bytes.
    pub stack_bytes: u32,
    /// 0x24 Defined function that is the guest's entry, or [`NO_FUNCTION`].
    pub entry: u16,
    /// 0x26 Defined function that runs before the entry, or [`NO_FUNCTION`].
    pub start: u16,
    /// 0x28 Words of RAM for the tables that change, and for which segments were dropped.
    pub state_words: u32,
    /// 0x2c Bytes of the items: contents of tables that change, and of segments that code names.
    pub item_bytes: u32,
    /// 0x30 Tables that change.
    pub tables: u16,
    /// 0x32 Data segments that code names.
    pub data_segments: u16,
    /// 0x34 Element segments that code names.
    pub element_segments: u16,
    /// 0x36 Calls within a circle of calls that the stack has room for; 0 if there is no circle.
    pub recursion_depth: u16,
}

/// Why a body was refused. Its maker is at fault in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum ImageError {
    /// It is shorter than its header says, or longer.
    Length { image_bytes: u32, expected_bytes: u32 },
    /// It does not begin as a body does.
    Magic,
    /// Another version of the layout.
    Version { version: u8 },
    /// A code format that is not known here.
    Format { format: u8 },
    /// A flag or a reserved field that has no meaning here.
    Flags { flags: u16 },
    /// The code section is larger than a return address can say.
    CodeTooLarge { code_bytes: u32 },
    /// Sizes that contradict each other, such as an entry that is not a function.
    Inconsistent,
}

impl Header {
    /// Bytes of the encoded header.
    pub const BYTES: usize = 0x38;

    /// RAM that the engine needs beside the image: stack, globals, tables that change and linear
    /// memory.
    ///
    /// Wide, so that no header overflows it.
    pub const fn arena_bytes(&self) -> u64 {
        self.memory_offset() + self.memory_bytes_max as u64
    }

    /// Where in the arena the globals begin, behind the stack.
    pub const fn globals_offset(&self) -> u64 {
        self.stack_bytes as u64
    }

    /// Where in the arena the words of tables and segments begin.
    pub const fn state_offset(&self) -> u64 {
        self.globals_offset() + self.global_words as u64 * 4
    }

    /// Where in the arena linear memory begins.
    pub const fn memory_offset(&self) -> u64 {
        self.state_offset() + self.state_words as u64 * 4
    }

    /// The first words of the state: one bit for each segment that code names, set once it is
    /// dropped.
    pub const fn dropped_words(&self) -> u32 {
        (self.data_segments as u32 + self.element_segments as u32).div_ceil(32)
    }

    /// Bytes of the page that `memory.size` and `memory.grow` count in.
    pub const fn page_bytes(&self) -> u32 {
        if self.has_byte_pages { 1 } else { 0x1_0000 }
    }

    /// Bytes of a whole body with this header.
    pub const fn image_bytes(&self) -> u64 {
        Header::BYTES as u64
            + self.imports as u64 * 2
            + self.functions as u64 * 4
            + self.table_elements as u64 * 2
            + self.global_words as u64 * 4
            + self.data_bytes as u64
            + self.tables as u64 * TableRecord::BYTES as u64
            + (self.data_segments as u64 + self.element_segments as u64) * SEGMENT_HEAD_BYTES as u64
            + self.item_bytes as u64
            + self.code_bytes as u64
    }

    /// The header as it stands at the front of a body.
    pub fn encode(&self) -> [u8; Header::BYTES] {
        let mut bytes = [0; Header::BYTES];
        let flags = if self.has_byte_pages { FLAG_BYTE_PAGES } else { 0 };
        let fields: [&[u8]; 21] = [
            &MAGIC,
            &[VERSION],
            &[self.format],
            &flags.to_le_bytes(),
            &self.code_bytes.to_le_bytes(),
            &self.data_bytes.to_le_bytes(),
            &self.functions.to_le_bytes(),
            &self.imports.to_le_bytes(),
            &self.table_elements.to_le_bytes(),
            &self.global_words.to_le_bytes(),
            &self.memory_bytes.to_le_bytes(),
            &self.memory_bytes_max.to_le_bytes(),
            &self.stack_bytes.to_le_bytes(),
            &self.entry.to_le_bytes(),
            &self.start.to_le_bytes(),
            &self.state_words.to_le_bytes(),
            &self.item_bytes.to_le_bytes(),
            &self.tables.to_le_bytes(),
            &self.data_segments.to_le_bytes(),
            &self.element_segments.to_le_bytes(),
            &self.recursion_depth.to_le_bytes(),
        ];
        for (target, source) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *target = *source;
        }
        bytes
    }

    /// Reads the header at the front of `bytes`, which need not hold the sections.
    ///
    /// # Errors
    /// [`ImageError`] for everything but [`ImageError::Length`] of the sections.
    pub fn decode(bytes: &[u8]) -> Result<Header, ImageError> {
        let Some(head) = bytes.first_chunk::<{ Header::BYTES }>() else {
            return Err(ImageError::Length {
                image_bytes: bytes.len() as u32,
                expected_bytes: Header::BYTES as u32,
            });
        };
        if head.first_chunk() != Some(&MAGIC) {
            return Err(ImageError::Magic);
        }
        let [_, _, _, _, version, format, ..] = *head;
        if version != VERSION {
            return Err(ImageError::Version { version });
        }
        if format != FORMAT_LOWERED_V1 {
            return Err(ImageError::Format { format });
        }
        let flags = half(head, 0x06);
        if flags & !FLAG_BYTE_PAGES != 0 {
            return Err(ImageError::Flags { flags });
        }
        let header = Header {
            format,
            has_byte_pages: flags & FLAG_BYTE_PAGES != 0,
            code_bytes: word(head, 0x08),
            data_bytes: word(head, 0x0c),
            functions: half(head, 0x10),
            imports: half(head, 0x12),
            table_elements: half(head, 0x14),
            global_words: half(head, 0x16),
            memory_bytes: word(head, 0x18),
            memory_bytes_max: word(head, 0x1c),
            stack_bytes: word(head, 0x20),
            entry: half(head, 0x24),
            start: half(head, 0x26),
            state_words: word(head, 0x28),
            item_bytes: word(head, 0x2c),
            tables: half(head, 0x30),
            data_segments: half(head, 0x32),
            element_segments: half(head, 0x34),
            recursion_depth: half(head, 0x36),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), ImageError> {
        if self.code_bytes > CODE_BYTES_MAX {
            return Err(ImageError::CodeTooLarge { code_bytes: self.code_bytes });
        }
        let is_function = |number: u16| number == NO_FUNCTION || number < self.functions;
        let is_consistent = is_function(self.entry)
            && is_function(self.start)
            && self.functions < NO_FUNCTION
            && self.memory_bytes <= self.memory_bytes_max
            && self.stack_bytes.is_multiple_of(4);
        if is_consistent { Ok(()) } else { Err(ImageError::Inconsistent) }
    }
}

/// What the body says about one function that it defines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FunctionRecord {
    /// Where its header lies in the code section.
    pub code_offset: u32,
    /// Number of its type, equal for equal types; what `call_indirect` compares.
    pub type_number: u16,
}

impl FunctionRecord {
    /// Types that a record can tell apart.
    pub const TYPES_MAX: u16 = 1 << 12;

    /// The record as stored: offset in bits 19:0, type in bits 31:20.
    pub const fn encode(self) -> u32 {
        self.code_offset & 0xf_ffff | (self.type_number as u32) << 20
    }

    /// The record from its stored form.
    pub const fn decode(word: u32) -> Self {
        FunctionRecord { code_offset: word & 0xf_ffff, type_number: (word >> 20) as u16 }
    }
}

/// Bytes of the head of a segment that code names.
const SEGMENT_HEAD_BYTES: usize = 8;

/// What the body says about one table that changes.
///
/// # Layout
/// Little endian: four words in the order of the fields. In RAM it is the number of its elements,
/// then `elements_max` words, each 0 for null, or else a reference.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TableRecord {
    /// Elements at the start.
    pub elements: u32,
    /// Elements that it may grow to.
    pub elements_max: u32,
    /// Where among the items its first elements stand (`u16` function or [`NO_FUNCTION`]).
    pub items_offset: u32,
    /// How many of its elements stand there; those behind them are null.
    pub items: u32,
}

impl TableRecord {
    /// Bytes of an encoded record.
    pub const BYTES: usize = 16;

    /// The record as stored.
    pub fn encode(self) -> [u8; TableRecord::BYTES] {
        let mut bytes = [0; TableRecord::BYTES];
        let fields = [self.elements, self.elements_max, self.items_offset, self.items];
        let fields = fields.into_iter().flat_map(u32::to_le_bytes);
        for (target, source) in bytes.iter_mut().zip(fields) {
            *target = source;
        }
        bytes
    }
}

/// A body whose header and section sizes are sound. The code in it is not verified.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// The header.
    pub header: Header,
    imports: &'a [u8],
    functions: &'a [u8],
    table: &'a [u8],
    globals: &'a [u8],
    data: &'a [u8],
    tables: &'a [u8],
    segments: &'a [u8],
    items: &'a [u8],
    code: &'a [u8],
}

impl<'a> Image<'a> {
    /// Splits a body into its sections.
    ///
    /// # Errors
    /// [`ImageError`] if the header is refused or `bytes` is not exactly the body's length.
    pub fn parse(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let header = Header::decode(bytes)?;
        let length_error = ImageError::Length {
            image_bytes: bytes.len() as u32,
            expected_bytes: header.image_bytes().min(u32::MAX.into()) as u32,
        };
        if bytes.len() as u64 != header.image_bytes() {
            return Err(length_error);
        }
        let mut rest = bytes.get(Header::BYTES..).ok_or(length_error)?;
        let mut take = |section_bytes: usize| {
            let (section, tail) = rest.split_at_checked(section_bytes).ok_or(length_error)?;
            rest = tail;
            Ok(section)
        };
        Ok(Image {
            header,
            imports: take(usize::from(header.imports) * 2)?,
            functions: take(usize::from(header.functions) * 4)?,
            table: take(usize::from(header.table_elements) * 2)?,
            globals: take(usize::from(header.global_words) * 4)?,
            data: take(header.data_bytes as usize)?,
            tables: take(usize::from(header.tables) * TableRecord::BYTES)?,
            segments: take(
                (usize::from(header.data_segments) + usize::from(header.element_segments))
                    * SEGMENT_HEAD_BYTES,
            )?,
            items: take(header.item_bytes as usize)?,
            code: take(header.code_bytes as usize)?,
        })
    }

    /// The code section.
    pub fn code(&self) -> &'a [u8] {
        self.code
    }

    /// Initial values of the globals, as little-endian words.
    pub fn globals(&self) -> &'a [u8] {
        self.globals
    }

    /// Number in `abi` of the function that the guest imports at `index`.
    pub fn import(&self, index: u16) -> Option<u16> {
        let bytes = self.imports.get(usize::from(index) * 2..)?;
        bytes.first_chunk().copied().map(u16::from_le_bytes)
    }

    /// The function that the body defines at `index`.
    pub fn function(&self, index: u16) -> Option<FunctionRecord> {
        let bytes = self.functions.get(usize::from(index) * 4..)?;
        bytes.first_chunk().copied().map(u32::from_le_bytes).map(FunctionRecord::decode)
    }

    /// Number of the function whose header is at `code_offset`, in a body whose functions ascend.
    pub fn function_at(&self, code_offset: u32) -> Option<u16> {
        let (mut low, mut high) = (0, self.header.functions);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.function(middle)?.code_offset;
            if found == code_offset {
                return Some(middle);
            }
            if found < code_offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        None
    }

    /// The table element at `index`: a defined function or [`NO_FUNCTION`].
    pub fn table_element(&self, index: u32) -> Option<u16> {
        let bytes = self.table.get((index as usize).checked_mul(2)?..)?;
        bytes.first_chunk().copied().map(u16::from_le_bytes)
    }

    /// The table at `index` among those that change.
    pub fn table(&self, index: u16) -> Option<TableRecord> {
        let at = usize::from(index) * TableRecord::BYTES;
        let field = |index: usize| word_at(self.tables, at + index * 4);
        Some(TableRecord {
            elements: field(0)?,
            elements_max: field(1)?,
            items_offset: field(2)?,
            items: field(3)?,
        })
    }

    /// The first elements of a table, as `u16` functions.
    pub fn table_items(&self, table: &TableRecord) -> Option<&'a [u8]> {
        self.items(table.items_offset, table.items.checked_mul(2)?)
    }

    /// The bytes of the data segment at `index` among those that code names.
    pub fn data_segment(&self, index: u16) -> Option<&'a [u8]> {
        if index >= self.header.data_segments {
            return None;
        }
        let (offset, bytes) = self.segment(index.into())?;
        self.items(offset, bytes)
    }

    /// The element segment at `index` among those that code names, as `u16` functions.
    pub fn element_segment(&self, index: u16) -> Option<&'a [u8]> {
        let index = usize::from(self.header.data_segments) + usize::from(index);
        let (offset, elements) = self.segment(index)?;
        self.items(offset, elements.checked_mul(2)?)
    }

    fn segment(&self, index: usize) -> Option<(u32, u32)> {
        let at = index * SEGMENT_HEAD_BYTES;
        Some((word_at(self.segments, at)?, word_at(self.segments, at + 4)?))
    }

    fn items(&self, offset: u32, bytes: u32) -> Option<&'a [u8]> {
        self.items.get(offset as usize..)?.get(..bytes as usize)
    }

    /// Active data segments: where in the initial memory which bytes go.
    pub fn segments(&self) -> Segments<'a> {
        Segments { rest: self.data }
    }
}

/// Iterator over the data segments of an [`Image`].
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<(u32, &'a [u8]), ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let segment = (|| {
            let (address, rest) = self.rest.split_first_chunk::<4>()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            self.rest = rest;
            Some((u32::from_le_bytes(*address), bytes))
        })();
        if segment.is_none() {
            self.rest = &[];
        }
        Some(segment.ok_or(ImageError::Inconsistent))
    }
}

fn word_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn half(bytes: &[u8; Header::BYTES], offset: usize) -> u16 {
    let field = bytes.get(offset..).and_then(|tail| tail.first_chunk());
    field.copied().map_or(0, u16::from_le_bytes)
}

fn word(bytes: &[u8; Header::BYTES], offset: usize) -> u32 {
    let field = bytes.get(offset..).and_then(|tail| tail.first_chunk());
    field.copied().map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests;
