//! What others rely on in the generated list.

extern crate std;

use crate::{BOARDS, SerialRole, UnknownBoard, Uplink, board};
use std::string::ToString;

#[test]
fn finds_boards_by_any_of_their_names() {
    for (asked, name) in [
        ("mps2-an385", "mps2-an385"),
        ("MPS2_AN385", "mps2-an385"),
        ("Arm MPS2 AN385", "mps2-an385"),
        ("arm mps2-an505", "mps2-an505"),
        ("STM32VLDISCOVERY", "stm32vldiscovery"),
        ("STM32 VL Discovery", "stm32vldiscovery"),
        ("Olimex STM32-H405", "olimex-stm32-h405"),
    ] {
        assert_eq!(board(asked).map(|board| board.name), Ok(name), "{asked}");
    }
    for known in BOARDS {
        for asked in [known.name, known.display_name] {
            assert_eq!(board(asked), Ok(known), "{asked}");
        }
    }
}

#[test]
fn names_every_board_where_one_is_unknown() {
    for asked in ["", "mps2", "mps2-an3855", "Arm", "-", "STM32"] {
        assert_eq!(board(asked), Err(UnknownBoard(asked)));
        let shown = UnknownBoard(asked).to_string();
        for known in BOARDS {
            assert!(shown.contains(known.name) && shown.contains(known.display_name), "{shown}");
        }
    }
    assert!(UnknownBoard("arduino").to_string().starts_with("there is no board \"arduino\"; "));
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
