//! The start of the clocks against what RM0090 says: values after a reset, order, and result.

use super::Rcc;
use crate::rcc::silicon::{Block, Silicon};
use std::sync::atomic::Ordering::SeqCst;

/// RM0090 section 7.3: values after a reset, to AHB1ENR at 0x30 and APB2ENR at 0x44.
fn reset() -> (Block, Block, [Block; 3]) {
    let mut rcc = [0; 0x48 / 4];
    rcc[0] = 0x0000_8383;
    rcc[1] = 0x24 << 24 | 0x3010;
    rcc[0x30 / 4] = 0x0010_0000;
    let [a, b, c] = [0xa800_0000, 0x0000_0280, 0].map(|mode| {
        let mut pins = [0; 0x28 / 4];
        pins[0] = mode;
        Block::new(&pins)
    });
    (Block::new(&rcc), Block::new(&[0]), [a, b, c])
}

fn driver(rcc: &Block, flash: &Block, pins: &[Block; 3]) -> Rcc {
    let [a, b, c] = pins;
    // SAFETY: the blocks are leaked, as large as the driver's, and this is their only taker.
    unsafe { Rcc::new(rcc.base(), flash.base(), [a.base(), b.base(), c.base()]) }
}

#[test]
fn the_core_runs_at_168_mhz_in_the_order_of_the_manual() {
    let (rcc, flash, pins) = reset();
    let [control, pll, config] = [0, 4, 8].map(|offset| rcc.at(offset));
    let access = flash.at(0);
    let chip = Silicon::start(move || {
        let on = control.load(SeqCst);
        if on & 1 << 16 != 0 {
            control.fetch_or(1 << 17, SeqCst);
        }
        if on & 1 << 24 != 0 {
            assert!(on & 1 << 17 != 0, "the PLL starts from a crystal that runs");
            let value = pll.load(SeqCst);
            let (m, n, p) = (value & 0x3f, value >> 6 & 0x1ff, (value >> 16 & 3) * 2 + 2);
            assert!(value & 1 << 22 != 0, "from the crystal");
            assert_eq!(12_000_000 / m * n / p, Rcc::CORE_HZ);
            assert!((1_000_000..=2_000_000).contains(&(12_000_000 / m)), "input of the PLL");
            assert!((100..=432).contains(&(12 / m * n)), "the oscillator, in MHz");
            assert_eq!(12_000_000 / m * n / (value >> 24 & 0xf), 48_000_000);
            control.fetch_or(1 << 25, SeqCst);
        }
        let chosen = config.load(SeqCst);
        if chosen & 3 == 2 && chosen & 0xc == 0 {
            assert_eq!(access.load(SeqCst) & 0xf, 5, "wait states come before the clock");
            assert!(control.load(SeqCst) & 1 << 25 != 0, "the PLL is ready before it is used");
            assert_eq!((chosen >> 10 & 7, chosen >> 13 & 7), (0b101, 0b100), "42 and 84 MHz");
            config.fetch_or(2 << 2, SeqCst);
        }
    });
    assert!(driver(&rcc, &flash, &pins).start());
    drop(chip);
    assert_eq!(rcc.read(0x30), 0x0010_0007, "ports A to C, and the RAM that was on");
    assert_eq!(rcc.read(0x40), 0b111 << 17, "USART2, USART3, UART4");
    assert_eq!(rcc.read(0x44), 1 << 4, "USART1");
    let [a, b, c] = &pins;
    // The pins of the debugger, A13 to A15, B3 and B4, keep their mode.
    assert_eq!([a, b, c].map(|pins| pins.read(0)), [0xa828_00a0, 0x00a0_0280, 0x00a0_0000]);
    assert_eq!([a.read(0x20), a.read(0x24)], [0x7700, 0x0770]);
    assert_eq!([b.read(0x20), b.read(0x24)], [0, 0x7700]);
    assert_eq!([c.read(0x20), c.read(0x24)], [0, 0x8800]);
}

#[test]
fn an_emulator_without_clock_control_is_left_alone() {
    let (_, flash, pins) = reset();
    let rcc = Block::new(&[0; 0x48 / 4]);
    assert!(driver(&rcc, &flash, &pins).start());
    assert!((0..0x48 / 4).all(|word| rcc.read(word * 4) == 0));
    assert_eq!(flash.read(0), 0);
}
