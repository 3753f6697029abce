//! Explains an image in text: sizes, imports, table, and the code as instructions.
//!
//! It reads any bytes: what cannot be explained is said so, and an unsound header is an error.
use std::fmt::Write;
use wasmbed_engine::limits::WINDOW_BYTES;
use wasmbed_engine::{ColdOpcode, FunctionHeader, Opcode, Operand};
use wasmbed_image::{Header, Image, ImageError, NO_FUNCTION};

/// What is known about the module that an image was made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// Names of functions, by their number in the module.
    pub names: &'a [Option<String>],
    /// [`crate::Prepared::source`]: offset in the code section, offset in the module.
    pub source: &'a [(u32, u32)],
}

/// What an image is made of and needs, in lines of text, and its code as instructions.
///
/// # Errors
/// [`ImageError`] if the header or the section sizes are unsound.
pub fn inspect(image: &[u8]) -> Result<String, ImageError> {
    Ok(summary(image)? + &disassemble(image, &Origin::default())?)
}

/// What an image is made of and needs, in lines of text.
///
/// # Errors
/// [`ImageError`] if the header or the section sizes are unsound.
pub fn summary(image: &[u8]) -> Result<String, ImageError> {
    let image = Image::parse(image)?;
    let header = &image.header;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<16}{value}");
    };
    line("format", format!("{} (lowered register code)", header.format));
    line("image", format!("{} bytes", header.image_bytes()));
    line("  header", format!("{} bytes", Header::BYTES));
    line("  code", format!("{} bytes in {} functions", header.code_bytes, header.functions));
    line("  data", format!("{} bytes", header.data_bytes));
    line("  table", format!("{} elements", header.table_elements));
    line("  items", format!("{} bytes of tables and segments", header.item_bytes));
    line("arena", format!("{} bytes", header.arena_bytes()));
    line("  stack", format!("{} bytes", header.stack_bytes));
    let recursion = match header.recursion_depth {
        0 => "none".to_owned(),
        depth => format!("{depth} nested calls, then a trap"),
    };
    line("  globals", format!("{} bytes", u32::from(header.global_words) * 4));
    line("  tables", format!("{} bytes", u64::from(header.state_words) * 4));
    let growth = match header.memory_bytes_max - header.memory_bytes {
        0 => "fixed".to_owned(),
        _ => format!("may grow to {}", header.memory_bytes_max),
    };
    line("  memory", format!("{} bytes, {growth}", header.memory_bytes));
    line("page", format!("{} bytes", header.page_bytes()));
    line("recursion", recursion);
    line("entry", function_name(&image, header.entry));
    line("start", function_name(&image, header.start));
    for index in 0..header.imports {
        line(&format!("import {index}"), import_name(&image, index));
    }
    for index in 0..header.tables {
        let table = image.table(index).unwrap_or_default();
        let size = format!("{} elements, may grow to {}", table.elements, table.elements_max);
        line(&format!("table {index}"), size);
    }
    for index in 0..header.data_segments {
        let bytes = image.data_segment(index).unwrap_or_default().len();
        line(&format!("data {index}"), format!("{bytes} bytes"));
    }
    for index in 0..header.element_segments {
        let elements = image.element_segment(index).unwrap_or_default().len() / 2;
        line(&format!("elements {index}"), format!("{elements} references"));
    }
    Ok(text)
}

/// The code of an image as instructions, each with the operator of the module it came from.
///
/// # Errors
/// [`ImageError`] if the header or the section sizes are unsound.
pub fn disassemble(image: &[u8], origin: &Origin<'_>) -> Result<String, ImageError> {
    let image = Image::parse(image)?;
    let mut text = String::new();
    for function in 0..image.header.functions {
        text.push('\n');
        disassemble_function(&image, function, origin, &mut text);
    }
    Ok(text)
}

/// A defined function by its number in the WebAssembly module.
fn function_name(image: &Image<'_>, number: u16) -> String {
    match number {
        NO_FUNCTION => "none".to_owned(),
        _ => format!("function {}", u32::from(number) + u32::from(image.header.imports)),
    }
}

fn import_name(image: &Image<'_>, index: u16) -> String {
    let number = image.import(index).unwrap_or(0);
    match wasmbed_abi::import_by_number(number) {
        Some(import) => {
            let capability = import.capability.map_or("none", |capability| capability.name());
            format!("{}.{} (capability {capability})", import.module, import.name)
        }
        None => format!("unknown function {number}"),
    }
}

fn disassemble_function(image: &Image<'_>, function: u16, origin: &Origin<'_>, text: &mut String) {
    let code = image.code();
    let offset = |index: u16| image.function(index).map(|record| record.code_offset as usize);
    let begin = offset(function).unwrap_or(0);
    let end = offset(function + 1).filter(|_| function + 1 < image.header.functions);
    let end = end.unwrap_or(code.len().saturating_sub(WINDOW_BYTES - 1)).min(code.len());
    let title = title(image, function, origin);
    let Some((header, mut at)) = FunctionHeader::decode(code, begin) else {
        let _ = writeln!(text, "{title}: no header at {begin:#06x}");
        return;
    };
    let bytes = end.saturating_sub(begin);
    let _ = writeln!(text, "{title}: {} slots, cost {}, {bytes} bytes", header.slots, header.cost);
    while at < end {
        match instruction(image, at) {
            Some((line, length)) => {
                let _ = match operator_at(origin, at) {
                    Some(wasm) => writeln!(text, "  {at:#06x}  {line:<40}  ; wasm {wasm:#x}"),
                    None => writeln!(text, "  {at:#06x}  {line}"),
                };
                at += length;
            }
            None => {
                let _ = writeln!(text, "  {at:#06x}  not an instruction");
                return;
            }
        }
    }
}

/// A function by its number, and by its name where the module tells it.
fn title(image: &Image<'_>, function: u16, origin: &Origin<'_>) -> String {
    let number = usize::from(function) + usize::from(image.header.imports);
    match origin.names.get(number) {
        Some(Some(name)) => format!("{} {name:?}", function_name(image, function)),
        _ => function_name(image, function),
    }
}

/// Offset in the module of the operator whose code begins at `at`.
fn operator_at(origin: &Origin<'_>, at: usize) -> Option<u32> {
    let behind = origin.source.partition_point(|(code, _)| *code <= at as u32);
    let (code, wasm) = origin.source.get(behind.checked_sub(1)?)?;
    (*code == at as u32).then_some(*wasm)
}

/// An instruction as text, and its length.
fn instruction(image: &Image<'_>, at: usize) -> Option<(String, usize)> {
    let code = image.code();
    let first = *code.get(at)?;
    let (name, operands, mut next) = if first == Opcode::Cold as u8 {
        let second = *code.get(at + 1)?;
        (format!("{:?}", ColdOpcode::decode(second)?), ColdOpcode::operands(second)?, at + 2)
    } else {
        (format!("{:?}", Opcode::decode(first)?), Opcode::operands(first)?, at + 1)
    };
    let mut line = snake_case(&name);
    if first == Opcode::BranchTable as u8 {
        let count = usize::from(u16::from_le_bytes(*code.get(next..)?.first_chunk()?));
        next += 2;
        for _ in 0..=count {
            let distance = u16::from_le_bytes(*code.get(next..)?.first_chunk()?);
            let _ = write!(line, " {:#06x}", at + usize::from(distance));
            next += 2;
        }
        return Some((line, next - at));
    }
    for operand in operands {
        let bytes = code.get(next..next + operand.bytes())?;
        let _ = write!(line, " {}", operand_text(image, operand, bytes, at));
        next += operand.bytes();
    }
    Some((line, next - at))
}

fn operand_text(image: &Image<'_>, operand: Operand, bytes: &[u8], at: usize) -> String {
    let number = |bytes: &[u8]| {
        bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let half = number(bytes.get(..2).unwrap_or(bytes));
    let rest = number(bytes.get(2..).unwrap_or(&[]));
    match operand {
        Operand::None => String::new(),
        Operand::Slot | Operand::WideSlot => format!("s{}", number(bytes)),
        Operand::Pair => format!("s{}:{}", number(bytes), number(bytes) + 1),
        Operand::Byte => format!("{}", number(bytes) as u8 as i8),
        Operand::Word => format!("{}", number(bytes) as u32 as i32),
        Operand::Long => format!("{}", number(bytes) as i64),
        Operand::Forward => format!("-> {:#06x}", at as u64 + half),
        Operand::Backward | Operand::BackwardWide => {
            format!("-> {:#06x} fuel {rest}", (at as u64).saturating_sub(half))
        }
        Operand::Shift | Operand::Shift64 => format!("{}", number(bytes)),
        Operand::SlotRange | Operand::WideRange => {
            let (first, count) = bytes.split_at(bytes.len() / 2);
            format!("s{} and {} more", number(first), number(count).saturating_sub(1))
        }
        Operand::Call | Operand::CallWide => {
            let (base, distance) = bytes.split_at(bytes.len() - 3);
            let distance = (number(distance) << 40).cast_signed() >> 40;
            let target = u32::try_from((at as u64).wrapping_add_signed(distance)).ok();
            let function = target.and_then(|target| image.function_at(target));
            let function = function.unwrap_or(NO_FUNCTION);
            format!("{} frame s{}", function_name(image, function), number(base))
        }
        Operand::CallIndirect => format!("type {half} frame s{rest}"),
        Operand::CallHost => format!("{} arguments s{rest}", import_name(image, half as u16)),
        Operand::Bulk => {
            bytes.iter().map(|slot| format!("s{slot} ")).collect::<String>().trim_end().to_owned()
        }
        Operand::Table => format!("table {}", number(bytes)),
        Operand::TablePair => format!("table {} from table {}", half & 0xff, half >> 8),
        Operand::TableElements => {
            format!("table {} from elements {}", half & 0xff, number(bytes) >> 8)
        }
        Operand::DataSegment => format!("data {half}"),
        Operand::ElementSegment => format!("elements {half}"),
        Operand::WideGlobal | Operand::WideGlobalPair | Operand::Global | Operand::GlobalPair => {
            format!("g{}", number(bytes))
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests;
