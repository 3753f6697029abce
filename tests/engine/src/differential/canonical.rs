//! Makes the NaNs canonical that come of changing the width of a float: WebAssembly leaves their bits
//! free. The generator does so for all other operators.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, Function, Instruction, Module, ValType as Encoded};
use wasmparser::{FunctionBody, Parser, Payload, ValType};

/// What is kept of a module while its bodies are rewritten.
struct Widths {
    /// Parameters of each defined function whose body is still to come, the next one last.
    parameters: Vec<u32>,
}

/// The module with canonical NaNs; `None` if it cannot be read.
pub fn canonical(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut widths = Widths { parameters: parameters(wasm)? };
    let mut module = Module::new();
    widths.parse_core_module(&mut module, Parser::new(0), wasm).ok()?;
    Some(module.finish())
}

/// Parameters of each defined function, the first one last.
fn parameters(wasm: &[u8]) -> Option<Vec<u32>> {
    let (mut types, mut counts) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::TypeSection(reader) => {
                for ty in reader.into_iter_err_on_gc_types() {
                    types.push(ty.ok()?.params().len() as u32);
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    counts.push(*types.get(ty.ok()? as usize)?);
                }
            }
            _ => {}
        }
    }
    counts.reverse();
    Some(counts)
}

impl Reencode for Widths {
    type Error = std::convert::Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let mut count = self.parameters.pop().unwrap_or(0);
        let mut locals: Vec<(u32, Encoded)> = Vec::new();
        for group in body.get_locals_reader()? {
            let (group_count, ty): (u32, ValType) = group?;
            count += group_count;
            locals.push((group_count, self.val_type(ty)?));
        }
        // Two more at the end, so that every other keeps its number.
        let (narrow, wide) = (count, count + 1);
        locals.extend([(1, Encoded::F32), (1, Encoded::F64)]);
        let mut function = Function::new(locals);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let instruction = utils::parse_instruction(self, &mut operators)?;
            function.instruction(&instruction);
            match instruction {
                Instruction::F32DemoteF64 => {
                    let nan = Instruction::F32Const(f32::NAN.into());
                    choose(&mut function, narrow, nan, Instruction::F32Eq);
                }
                Instruction::F64PromoteF32 => {
                    let nan = Instruction::F64Const(f64::NAN.into());
                    choose(&mut function, wide, nan, Instruction::F64Eq);
                }
                _ => {}
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Replaces the value on the stack by `nan` unless it equals itself.
fn choose(function: &mut Function, local: u32, nan: Instruction<'_>, equal: Instruction<'_>) {
    for instruction in [
        Instruction::LocalTee(local),
        nan,
        Instruction::LocalGet(local),
        Instruction::LocalGet(local),
        equal,
        Instruction::Select,
    ] {
        function.instruction(&instruction);
    }
}
