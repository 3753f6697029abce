//! Which rows of the first page the programs of these tests are made of: one that none needs is not
//! tested, and takes the place of one that programs use.
use crate::guest::small_options;
use crate::programs::PROGRAMS;
use std::collections::BTreeSet;
use wasmbed_compiler::prepare;
use wasmbed_engine::{ColdOpcode, FunctionHeader, Opcode, Operand};
use wasmbed_image::Image;

/// Rows that only frames of more than 256 slots have, imports, or tables that change.
const ELSEWHERE: [Opcode; 4] =
    [Opcode::CallWide, Opcode::ClearWide, Opcode::CallHost, Opcode::CallReference];

/// Random programs that are looked at.
const PROGRAMS_RANDOM: u64 = 150;

fn collect(wasm: &[u8], seen: &mut BTreeSet<u8>) {
    let prepared = prepare(wasm, &small_options()).unwrap();
    let image = Image::parse(&prepared.image).unwrap();
    let code = image.code();
    for function in 0..image.header.functions {
        let begin = image.function(function).unwrap().code_offset as usize;
        let next = (function + 1 < image.header.functions).then(|| image.function(function + 1));
        let padding = wasmbed_engine::limits::WINDOW_BYTES - 1;
        let end = next.flatten().map_or(code.len() - padding, |next| next.code_offset as usize);
        let mut at = begin + FunctionHeader::BYTES;
        while at < end {
            seen.insert(code[at]);
            at += length(&code[at..]);
        }
    }
}

fn length(code: &[u8]) -> usize {
    if code[0] == Opcode::BranchTable as u8 {
        return 3 + 2 * (usize::from(u16::from_le_bytes([code[1], code[2]])) + 1);
    }
    let (operands, head) = if code[0] == Opcode::Cold as u8 {
        (ColdOpcode::operands(code[1]).unwrap(), 2)
    } else {
        (Opcode::operands(code[0]).unwrap(), 1)
    };
    operands.map(Operand::bytes).sum::<usize>() + head
}

#[test]
fn every_row_of_the_first_page_is_written_for_some_program() {
    let mut seen = BTreeSet::new();
    for (_, text) in PROGRAMS {
        collect(&wat::parse_str(text).unwrap(), &mut seen);
    }
    for seed in 0..PROGRAMS_RANDOM {
        let text = crate::generator::program(seed);
        collect(&wat::parse_str(&text).unwrap(), &mut seen);
    }
    let missing: Vec<Opcode> = Opcode::ALL
        .iter()
        .copied()
        .filter(|opcode| !seen.contains(&(*opcode as u8)) && !ELSEWHERE.contains(opcode))
        .collect();
    println!("\ncases: {}\n", seen.len());
    assert!(missing.is_empty(), "no program has {missing:?}");
}
