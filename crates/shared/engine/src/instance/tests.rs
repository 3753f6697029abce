//! Faults of the arena and of calls out of order; what guests do is tested with the compiler.
use super::*;
use crate::opcodes::Opcode;
use std::sync::atomic::AtomicBool;
use wasmbed_image::{FORMAT_LOWERED_V1, FunctionRecord, Header};

/// An image whose entry returns at once.
fn image() -> Vec<u8> {
    let function = FunctionHeader { slots: 1, cost: 2 };
    let mut code = function.encode().to_vec();
    code.push(Opcode::Return as u8);
    code.extend([0; crate::limits::WINDOW_BYTES - 1]);
    let header = Header {
        format: FORMAT_LOWERED_V1,
        has_byte_pages: true,
        code_bytes: code.len() as u32,
        data_bytes: 0,
        functions: 1,
        imports: 0,
        table_elements: 0,
        global_words: 0,
        memory_bytes: 8,
        memory_bytes_max: 8,
        stack_bytes: 12,
        entry: 0,
        start: NO_FUNCTION,
        ..Header::default()
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend(FunctionRecord { code_offset: 0, type_number: 0 }.encode().to_le_bytes());
    bytes.extend(code);
    bytes
}

struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
        HostOutcome::Trap
    }
}

#[test]
fn a_guest_ends_once_and_says_so_again() {
    let image = image();
    let mut arena = vec![0xff; 12 + 8];
    let stop = AtomicBool::new(false);
    let mut instance = Instance::load(&image, &mut arena).unwrap();
    assert_eq!(instance.fuel_used(), 0);
    for _ in 0..2 {
        let outcome = instance.run(&image, &mut arena, &mut NoHost, &mut &stop);
        assert_eq!(outcome, Outcome::Finished);
        assert_eq!(instance.fuel_used(), 2);
    }
    assert_eq!(instance.memory_bytes(), 8);
    // All that is left is the record of the first function, which has no caller.
    assert!(arena.iter().skip(12).all(|byte| *byte == 0));
}

#[test]
fn an_arena_that_is_too_small_is_refused_with_the_numbers() {
    let error = LoadError::ArenaTooSmall { arena_bytes: 19, needed_bytes: 20 };
    assert_eq!(Instance::load(&image(), &mut vec![0; 19]).err(), Some(error));
}

#[test]
fn another_arena_or_image_traps() {
    let image = image();
    let stop = AtomicBool::new(false);
    let load = || Instance::load(&image, &mut vec![0; 12 + 8]).unwrap();
    let mut no_arena: [u8; 0] = [];
    let outcome = load().run(&image, &mut no_arena, &mut NoHost, &mut &stop);
    assert!(matches!(outcome, Outcome::Trapped(Trap::BadCode, _)));
    let outcome = load().run(&image[1..], &mut vec![0; 2000], &mut NoHost, &mut &stop);
    assert!(matches!(outcome, Outcome::Trapped(Trap::BadCode, _)));
    assert!(matches!(
        load().run(&image, &mut [0; 100], &mut NoHost, &mut &stop),
        Outcome::Finished | Outcome::Trapped(..)
    ));
}
