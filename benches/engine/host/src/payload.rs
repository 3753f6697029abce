//! One file with every program: its arguments, its image and its module.
//!
//! # Layout
//! Words of 32 bits, little endian. Magic, number of programs; for each one 12 words: name (4 words,
//! padded with zero bytes), two arguments, function to invoke, offset and bytes of the image, offset
//! and bytes of the module, 0. Offsets are from the start of the file; an image of 0 bytes means
//! that the program cannot be prepared yet.

use std::path::Path;

use anyhow::{Context, Result, bail};
use wasmbed_compiler::{Options, Prepared, prepare};
use wasmparser::{Parser, Payload};

const MAGIC: &[u8; 4] = b"WBB1";
const NAME_BYTES: usize = 16;
const RECORD_BYTES: usize = 48;
/// Recursive programs among the measured ones are given this depth; fib(20) goes 20 deep.
pub const RECURSION_DEPTH: u32 = 24;

/// A program as named on the command line.
pub struct Program {
    /// File name without extension.
    pub name: String,
    /// The WebAssembly module.
    pub wasm: Vec<u8>,
    /// What its function is called with.
    pub arguments: [u32; 2],
}

impl Program {
    /// Reads `FILE.wasm:A:B`.
    pub fn read(word: &str) -> Result<Program> {
        let mut parts = word.rsplitn(3, ':');
        let (Some(second), Some(first), Some(file)) = (parts.next(), parts.next(), parts.next())
        else {
            bail!("{word}: not FILE:A:B");
        };
        let path = Path::new(file);
        let name = path.file_stem().and_then(|name| name.to_str()).context("no file name")?;
        let wasm = std::fs::read(path).with_context(|| format!("read {file}"))?;
        Ok(Program { name: name.to_owned(), wasm, arguments: [first.parse()?, second.parse()?] })
    }

    /// The program as an image, and the number among its functions of the exported one.
    pub fn prepare(&self) -> Result<(Prepared, u16)> {
        let options =
            Options { recursion_depth: RECURSION_DEPTH, needs_entry: false, ..Options::default() };
        let prepared = prepare(&self.wasm, &options)?;
        let export = prepared.exports.iter().find(|export| export.name == "program");
        let function = export.context("the module exports no `program`")?.function;
        Ok((prepared, u16::try_from(function)?))
    }

    /// Bytes of the module's code section.
    pub fn wasm_code_bytes(&self) -> Result<u32> {
        let mut bytes = 0;
        for payload in Parser::new(0).parse_all(&self.wasm) {
            if let Payload::CodeSectionStart { size, .. } = payload? {
                bytes += size;
            }
        }
        Ok(bytes)
    }
}

/// Writes the file, and a line for each program with the bytes of its code before and after.
pub fn write(file: &str, words: &[String]) -> Result<()> {
    let mut records = Vec::new();
    let mut bodies = Vec::new();
    let base = 8 + words.len() * RECORD_BYTES;
    for word in words {
        let program = Program::read(word)?;
        let wasm_code_bytes = program.wasm_code_bytes()?;
        let (image, function) = match program.prepare() {
            Ok((prepared, function)) => {
                let needs = &prepared.needs;
                println!(
                    "code {} {} {wasm_code_bytes} {} {}",
                    program.name,
                    needs.code_bytes,
                    needs.image_bytes,
                    program.wasm.len()
                );
                (prepared.image, function)
            }
            Err(error) => {
                println!("refused {} {error:#}", program.name);
                (Vec::new(), 0)
            }
        };
        let mut name = program.name.clone().into_bytes();
        name.resize(NAME_BYTES, 0);
        records.extend(name);
        let mut place = |bytes: &[u8]| {
            let offset = base + bodies.len();
            bodies.extend(bytes);
            bodies.resize(bodies.len().next_multiple_of(16), 0);
            [offset as u32, bytes.len() as u32]
        };
        let (image, wasm) = (place(&image), place(&program.wasm));
        let [first, second] = program.arguments;
        let words = [first, second, function.into(), image[0], image[1], wasm[0], wasm[1], 0];
        records.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend((words.len() as u32).to_le_bytes());
    bytes.extend(records);
    bytes.extend(bodies);
    std::fs::write(file, bytes).with_context(|| format!("write {file}"))
}
