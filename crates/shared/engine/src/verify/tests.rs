//! Byte code with one fault each is refused by the fault's name.
use super::*;
use crate::opcodes::ColdOpcode;
use wasmbed_image::{FORMAT_LOWERED_V1, FunctionRecord, Header, NO_FUNCTION};

const HEADER: FunctionHeader = FunctionHeader { slots: 4, cost: 3 };

/// An image with one import (`log`), one word of globals, two tables that change, a data segment
/// and two element segments that code names, and the functions given as code.
fn image(functions: &[Vec<u8>]) -> Vec<u8> {
    let code: Vec<u8> = functions.iter().flatten().copied().chain([0; WINDOW_BYTES - 1]).collect();
    let header = Header {
        format: FORMAT_LOWERED_V1,
        has_byte_pages: true,
        code_bytes: code.len() as u32,
        data_bytes: 0,
        functions: functions.len() as u16,
        imports: 1,
        table_elements: 0,
        global_words: 1,
        memory_bytes: 0,
        memory_bytes_max: 0,
        stack_bytes: 64,
        entry: NO_FUNCTION,
        start: NO_FUNCTION,
        tables: 2,
        data_segments: 1,
        element_segments: 2,
        ..Header::default()
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend(wasmbed_abi::LOG.to_le_bytes());
    let mut code_offset = 0;
    for function in functions {
        let record = FunctionRecord { code_offset, type_number: 0 };
        bytes.extend(record.encode().to_le_bytes());
        code_offset += function.len() as u32;
    }
    bytes.extend([0; 4]);
    bytes.extend([0; 2 * wasmbed_image::TableRecord::BYTES + 3 * 8]);
    bytes.extend(code);
    bytes
}

fn verified(functions: &[Vec<u8>]) -> Result<(), CodeFaultKind> {
    let bytes = image(functions);
    let image = Image::parse(&bytes).unwrap();
    verify(&image, &mut [0xff; 200]).map_err(|fault| fault.kind)
}

#[track_caller]
fn check(instructions: &[u8], expected: Result<(), CodeFaultKind>) {
    let function = [&HEADER.encode()[..], instructions].concat();
    assert_eq!(verified(&[function]), expected);
}

const RETURN: u8 = Opcode::Return as u8;

#[test]
fn sound_code_is_accepted() {
    check(&[RETURN], Ok(()));
    check(&[Opcode::AddRr as u8, 3, 0, RETURN], Ok(()));
    check(&[Opcode::Get64 as u8, 2, Opcode::GlobalSet as u8, 0, RETURN], Ok(()));
    check(&[Opcode::Branch as u8, 4, 0, RETURN, RETURN], Ok(()));
    check(&[Opcode::Loop as u8, 0, 0, 1], Ok(()));
    check(&[Opcode::BranchTable as u8, 1, 0, 7, 0, 8, 0, RETURN, RETURN], Ok(()));
    check(&[Opcode::CallHost as u8, 0, 0, 2, 0, RETURN], Ok(()));
    check(&[Opcode::Call as u8, 4, 0xfc, 0xff, 0xff, RETURN], Ok(()));
    check(&[Opcode::CallWide as u8, 4, 0, 0xfc, 0xff, 0xff, RETURN], Ok(()));
    check(&[Opcode::Clear as u8, 2, 2, RETURN], Ok(()));
    check(&[Opcode::ClearWide as u8, 0, 0, 4, 0, RETURN], Ok(()));
    check(&[Opcode::ShlAi as u8, 31, RETURN], Ok(()));
    check(&[Opcode::Cold as u8, ColdOpcode::DivS as u8, 3, RETURN], Ok(()));
}

/// An operation of the second page in front of a return.
fn cold(opcode: ColdOpcode, operands: &[u8]) -> Vec<u8> {
    [&[Opcode::Cold as u8, opcode as u8], operands, &[RETURN]].concat()
}

#[test]
fn sound_operations_on_tables_and_segments_are_accepted() {
    check(&cold(ColdOpcode::TableGrow, &[0, 1, 3, 1]), Ok(()));
    check(&cold(ColdOpcode::TableInit, &[0, 1, 3, 1, 1, 0]), Ok(()));
    check(&cold(ColdOpcode::MemoryInit, &[0, 1, 3, 0, 0]), Ok(()));
    check(&cold(ColdOpcode::ElementDrop, &[1, 0]), Ok(()));
    check(&cold(ColdOpcode::GlobalGetWide, &[0, 0]), Ok(()));
    check(&[Opcode::CallReference as u8, 0, 0, 4, 0, RETURN], Ok(()));
}

#[test]
fn operands_out_of_bounds_are_refused() {
    use CodeFaultKind::{Index, Slot};
    check(&[Opcode::AddRr as u8, 4, 0, RETURN], Err(Slot));
    check(&[Opcode::Get64 as u8, 3, RETURN], Err(Slot));
    check(&[Opcode::Cold as u8, ColdOpcode::DivS as u8, 4, RETURN], Err(Slot));
    check(&[Opcode::CallHost as u8, 0, 0, 3, 0, RETURN], Err(Slot));
    check(&[Opcode::Call as u8, 5, 0xfc, 0xff, 0xff, RETURN], Err(Slot));
    check(&[Opcode::Clear as u8, 2, 3, RETURN], Err(Slot));
    check(&[Opcode::Clear as u8, 2, 0, RETURN], Err(Slot));
    check(&[Opcode::ClearWide as u8, 0, 0, 0, 1, RETURN], Err(Slot));
    check(&[Opcode::ShlAi as u8, 32, RETURN], Err(Index));
    check(&[Opcode::Shl64Ai as u8, 64, RETURN], Err(Index));
    check(&[Opcode::CallIndirect as u8, 0, 0, 5, 0, RETURN], Err(Slot));
    check(&cold(ColdOpcode::MemoryCopy, &[1, 2, 4]), Err(Slot));
    check(&cold(ColdOpcode::MemoryInit, &[1, 2, 3, 1, 0]), Err(Index));
    check(&cold(ColdOpcode::DataDrop, &[0, 1]), Err(Index));
    check(&cold(ColdOpcode::ElementDrop, &[2, 0]), Err(Index));
    check(&cold(ColdOpcode::TableGet, &[2]), Err(Index));
    check(&cold(ColdOpcode::TableSet, &[4, 0]), Err(Slot));
    check(&cold(ColdOpcode::TableCopy, &[0, 1, 2, 1, 2]), Err(Index));
    check(&cold(ColdOpcode::TableInit, &[0, 1, 2, 2, 0, 0]), Err(Index));
    check(&cold(ColdOpcode::TableInit, &[0, 1, 2, 1, 2, 0]), Err(Index));
    check(&cold(ColdOpcode::GlobalGetWide, &[1, 0]), Err(Index));
    check(&cold(ColdOpcode::GlobalSetWide64, &[0, 0]), Err(Index));
    check(&[Opcode::CallReference as u8, 0, 0, 5, 0, RETURN], Err(Slot));
    check(&[Opcode::GlobalGet as u8, 1, RETURN], Err(Index));
    check(&[Opcode::GlobalGet64 as u8, 0, RETURN], Err(Index));
    check(&[Opcode::Call as u8, 0, 0xfd, 0xff, 0xff, RETURN], Err(Index));
    check(&[Opcode::CallWide as u8, 0, 0, 0, 0, 0x80, RETURN], Err(Index));
    check(&[Opcode::CallHost as u8, 1, 0, 0, 0, RETURN], Err(Index));
    check(&[0xff, RETURN], Err(CodeFaultKind::Opcode));
    check(&[Opcode::Cold as u8, 0xff, RETURN], Err(CodeFaultKind::Opcode));
}

#[test]
fn targets_that_are_no_instruction_are_refused() {
    use CodeFaultKind::Target;
    check(&[Opcode::Branch as u8, 0, 0, RETURN], Err(Target));
    check(&[Opcode::Branch as u8, 4, 0, RETURN], Err(Target));
    check(&[Opcode::Branch as u8, 4, 0, Opcode::Const8 as u8, RETURN, RETURN], Err(Target));
    check(&[RETURN, Opcode::Loop as u8, 2, 0, 1], Err(Target));
    check(&[Opcode::Loop as u8, 0, 0, 0], Err(Target));
    check(&[Opcode::Const8 as u8, 0, Opcode::Loop as u8, 1, 0, 1], Err(Target));
    check(&[Opcode::BranchTable as u8, 0, 0, 6, 0, RETURN], Err(Target));
}

#[test]
fn functions_must_end_and_follow_each_other() {
    use CodeFaultKind::{End, Function, Header};
    check(&[Opcode::Const8 as u8, 1], Err(End));
    check(&[RETURN, Opcode::Const32 as u8, 1], Err(End));
    check(&[], Err(Function));
    let with = |header: FunctionHeader| verified(&[[&header.encode()[..], &[RETURN]].concat()]);
    assert_eq!(with(FunctionHeader { cost: 0, ..HEADER }), Err(Header));
    assert_eq!(verified(&[vec![1, 0, 3, 0, RETURN]]), Err(Header));
    let function = [&HEADER.encode()[..], &[RETURN]].concat();
    assert_eq!(verified(&[function.clone(), function.clone()]), Ok(()));
    assert_eq!(verified(&[function, Vec::new()]), Err(Function));
}

#[test]
fn scratch_that_is_too_short_is_an_error_not_a_panic() {
    let bytes = image(&[[&HEADER.encode()[..], &[RETURN]].concat()]);
    let image = Image::parse(&bytes).unwrap();
    assert!(verify(&image, &mut [0; 1]).is_err());
}
