//! What others rely on in the generated list.

use crate::{BOARDS, SerialRole, Uplink, board};

#[test]
fn finds_boards_by_any_of_their_names() {
    for (asked, name) in [
        ("mps2-an385", "mps2-an385"),
        ("MPS2_AN385", "mps2-an385"),
        ("Arm MPS2 AN385", "mps2-an385"),
        ("STM32VLDISCOVERY", "stm32vldiscovery"),
    ] {
        assert_eq!(board(asked).map(|board| board.name), Some(name), "{asked}");
    }
    assert_eq!(board("mps2"), None);
}

#[test]
fn gives_each_board_an_entropy_and_a_flash_port_and_one_uplink() {
    for board in BOARDS {
        let count = |role| board.qemu.serials.iter().filter(|known| **known == role).count();
        assert_eq!(count(SerialRole::Entropy), 1, "{}", board.name);
        assert_eq!(count(SerialRole::Flash), 1, "{}", board.name);
        let is_serial = board.uplink == Uplink::Serial;
        assert_eq!(count(SerialRole::Uplink), usize::from(is_serial), "{}", board.name);
        assert_eq!(board.qemu.nic_model.is_none(), is_serial, "{}", board.name);
    }
}
