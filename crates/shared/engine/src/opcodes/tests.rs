//! The table is what images were made for.
use super::*;

#[test]
fn the_pages_leave_room_and_name_their_operands() {
    assert!(Opcode::ALL.len() < 256);
    assert_eq!(Opcode::decode(Opcode::AddRr as u8), Some(Opcode::AddRr));
    let operands: Vec<_> = Opcode::operands(Opcode::AddRis as u8).into_iter().flatten().collect();
    assert_eq!(operands, [Operand::Slot, Operand::Byte, Operand::Slot]);
    assert_eq!(Opcode::operands(255), None);
    assert_eq!(ColdOpcode::decode(255), None);
}

#[test]
fn the_longest_instruction_fits_the_window() {
    for byte in 0..=255 {
        for operands in [Opcode::operands(byte), ColdOpcode::operands(byte)].into_iter().flatten() {
            let bytes: usize = operands.map(Operand::bytes).sum();
            assert!(bytes < crate::limits::WINDOW_BYTES);
        }
    }
}
