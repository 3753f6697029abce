//! The start of the clocks against what RM0041 says: values after a reset, order, and result.

use super::Rcc;
use crate::rcc::silicon::{Block, Silicon};
use std::sync::atomic::Ordering::SeqCst;

fn driver(rcc: &Block, a: &Block, b: &Block) -> Rcc {
    // SAFETY: the blocks are leaked, as large as the driver's, and this is their only taker.
    unsafe { Rcc::new(rcc.base(), a.base(), b.base()) }
}

/// Eight pins, the one with the highest number first: 4 is as after a reset, b sends.
const fn pins(modes: &[u8; 4]) -> u32 {
    u32::from_be_bytes(*modes)
}

const UNTOUCHED: u32 = pins(&[0x44, 0x44, 0x44, 0x44]);

/// RM0041 sections 6.3 and 7.2: values after a reset.
fn reset() -> (Block, Block, Block) {
    let mut rcc = [0; 0x20 / 4];
    rcc[0] = 0x0000_0083;
    rcc[0x14 / 4] = 0x0000_0014;
    (Block::new(&rcc), Block::new(&[UNTOUCHED; 2]), Block::new(&[UNTOUCHED; 2]))
}

#[test]
fn the_core_runs_at_24_mhz_in_the_order_of_the_manual() {
    let (rcc, a, b) = reset();
    let [control, config] = [0, 4].map(|offset| rcc.at(offset));
    let chip = Silicon::start(move || {
        let chosen = config.load(SeqCst);
        if control.load(SeqCst) & 1 << 24 != 0 {
            assert_eq!(chosen & 1 << 16, 0, "from half of the internal oscillator");
            assert_eq!(4_000_000 * ((chosen >> 18 & 0xf) + 2), Rcc::CORE_HZ);
            control.fetch_or(1 << 25, SeqCst);
        }
        if chosen & 3 == 2 && chosen & 0xc == 0 {
            assert!(control.load(SeqCst) & 1 << 25 != 0, "the PLL is ready before it is used");
            assert_eq!(chosen >> 4 & 0x3ff, 0, "every bus at the clock of the core");
            config.fetch_or(2 << 2, SeqCst);
        }
    });
    assert!(driver(&rcc, &a, &b).start());
    drop(chip);
    assert_eq!(rcc.read(0x14), 0x14, "RAM and flash stay on in sleep");
    assert_eq!(rcc.read(0x18), 1 << 14 | 0b1100, "USART1, ports A and B");
    assert_eq!(rcc.read(0x1c), 0b11 << 17, "USART2, USART3");
    // A2 and A9 send, A3 and A10 receive; B10 sends, B11 receives.
    assert_eq!(
        [a.read(0), a.read(4)],
        [pins(&[0x44, 0x44, 0x4b, 0x44]), pins(&[0x44, 0x44, 0x44, 0xb4])]
    );
    assert_eq!([b.read(0), b.read(4)], [UNTOUCHED, pins(&[0x44, 0x44, 0x4b, 0x44])]);
}

#[test]
fn an_emulator_without_clock_control_is_left_alone() {
    let (_, a, b) = reset();
    let rcc = Block::new(&[0; 0x20 / 4]);
    assert!(driver(&rcc, &a, &b).start());
    assert!((0..0x20 / 4).all(|word| rcc.read(word * 4) == 0));
    assert_eq!([a.read(0), b.read(4)], [UNTOUCHED; 2]);
}
